// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loader of ELF images (seed_path A1; v3.14 fs/binfmt_elf.c): text and data are private
 * mappings of the file, bss and heap are anonymous, the stack is the one that holds the arguments.
 */
#include <errno.h>

#include "mm/binfmt_module.h"
#include "mm/binprm.h"
#include "mm/cred.h"
#include "mm/mm.h"
#include "mm/uprobes.h"
#include "mm/vma.h"
#include "smp/sched.h"

/* The program's segments, in the order of their addresses. */
enum segment {
	SEGMENT_TEXT,
	SEGMENT_DATA,
	SEGMENT_BSS,
	NR_SEGMENTS,
};

struct load_segment {
	u64 pages;
	u32 flags;
	bool from_file;
};

static int map_segment(struct mm_struct *mm, const struct load_segment *s, u64 start,
		       struct file *file, u64 pgoff)
{
	u32 flags = s->flags | (vma_accountable(s->flags) ? VM_ACCOUNT : 0);
	struct vm_area_struct *vma = vma_alloc(mm, start, start + (s->pages << PAGE_SHIFT), flags,
					       s->from_file ? file : NULL, pgoff);

	if (!vma)
		return -ENOMEM;
	if (insert_vma(mm, vma)) {
		remove_vma(vma);
		return -ENOMEM;
	}
	if (s->from_file)
		uprobe_mmap(vma);
	return 0;
}

/* elf_map() of each segment, set_brk(), with mmap_sem for writing. What is committed for segments
 * that did not make it into the mm is given back here; for the others exit_mmap() does it. */
static int map_image(struct mm_struct *mm, const struct exec_image *image, struct file *file)
{
	const struct load_segment segments[NR_SEGMENTS] = {
		[SEGMENT_TEXT] = {image->text_pages, VM_READ | VM_EXEC, true},
		[SEGMENT_DATA] = {image->data_pages, VM_READ | VM_WRITE, true},
		[SEGMENT_BSS] = {image->bss_pages, VM_READ | VM_WRITE, false},
	};
	u64 end[NR_SEGMENTS], at = ELF_TEXT_START, pgoff = 0, committed = 0;
	int err = 0;

	for (u32 i = 0; i < NR_SEGMENTS; i++) {
		if (vma_accountable(segments[i].flags))
			committed += segments[i].pages;
	}
	if (committed && security_vm_enough_memory(mm, committed))
		return -ENOMEM;
	for (u32 i = 0; i < NR_SEGMENTS; i++) {
		const struct load_segment *s = &segments[i];

		if (i == SEGMENT_BSS && image->fail_at == EXEC_FAIL_AFTER)
			err = -EFAULT; /* as when the bss can't be cleared */
		if (s->pages && !err)
			err = map_segment(mm, s, at, file, pgoff);
		if (!err && vma_accountable(s->flags))
			committed -= s->pages;
		at += s->pages << PAGE_SHIFT;
		pgoff += s->pages;
		end[i] = at;
	}
	if (err) {
		if (committed)
			vm_unacct_memory(committed);
		return err;
	}
	mm->start_code = ELF_TEXT_START;
	mm->end_code = end[SEGMENT_TEXT];
	mm->start_data = end[SEGMENT_TEXT];
	mm->end_data = end[SEGMENT_DATA];
	mm->start_brk = end[SEGMENT_BSS];
	mm->brk = end[SEGMENT_BSS];
	return 0;
}

int load_elf_binary(struct linux_binprm *bprm)
{
	const struct exec_image *image = bprm->image;
	struct mm_struct *mm;
	int err;

	/* A header that can't be read, an interpreter that is missing. */
	if (image->fail_at == EXEC_FAIL_BEFORE)
		return -ENOEXEC;
	err = flush_old_exec(bprm);
	if (err)
		return err;
	/* No way back from here. */
	setup_new_exec(bprm);
	mm = current->mm;
	down_write(&mm->mmap_sem);
	err = setup_arg_pages(bprm, image->stack_pages);
	if (!err)
		err = map_image(mm, image, bprm->file);
	up_write(&mm->mmap_sem);
	if (!err)
		install_exec_creds(bprm);
	if (!err)
		set_binfmt(mm, bprm->fmt);
	return err;
}
