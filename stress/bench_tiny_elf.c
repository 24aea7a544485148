// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress/bench_tiny_elf.h"

#ifdef __x86_64__

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/memfd.h of 6.3 and later; glibc 2.36 doesn't know it yet. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* Where ld puts a program that isn't relocatable. */
#define LOAD_ADDRESS 0x400000
#define SMALL_PAGE 0x1000

struct tiny_image {
	Elf64_Ehdr header;
	Elf64_Phdr text, stack;
	unsigned char code[9];
};

_Static_assert(SYS_exit_group == 0xe7, "the code below has the number of exit_group in it");

static void tiny_image_init(struct tiny_image *image)
{
	static const unsigned char code[] = {
		0x31, 0xff,		      /* xor %edi, %edi */
		0xb8, 0xe7, 0x00, 0x00, 0x00, /* mov $SYS_exit_group, %eax */
		0x0f, 0x05,		      /* syscall */
	};

	_Static_assert(sizeof(code) == sizeof(image->code), "one byte of code for each");
	memset(image, 0, sizeof(*image));
	memcpy(image->header.e_ident, ELFMAG, SELFMAG);
	image->header.e_ident[EI_CLASS] = ELFCLASS64;
	image->header.e_ident[EI_DATA] = ELFDATA2LSB;
	image->header.e_ident[EI_VERSION] = EV_CURRENT;
	image->header.e_ident[EI_OSABI] = ELFOSABI_NONE;
	image->header.e_type = ET_EXEC;
	image->header.e_machine = EM_X86_64;
	image->header.e_version = EV_CURRENT;
	image->header.e_entry = LOAD_ADDRESS + offsetof(struct tiny_image, code);
	image->header.e_phoff = offsetof(struct tiny_image, text);
	image->header.e_ehsize = sizeof(image->header);
	image->header.e_phentsize = sizeof(image->text);
	image->header.e_phnum = 2;

	image->text.p_type = PT_LOAD;
	image->text.p_flags = PF_R | PF_X;
	image->text.p_vaddr = image->text.p_paddr = LOAD_ADDRESS;
	image->text.p_filesz = image->text.p_memsz = sizeof(*image);
	image->text.p_align = SMALL_PAGE;

	image->stack.p_type = PT_GNU_STACK;
	image->stack.p_flags = PF_R | PF_W;

	memcpy(image->code, code, sizeof(code));
}

int bench_tiny_elf(struct bench_error *err)
{
	struct tiny_image image;
	int fd;

	tiny_image_init(&image);
	/* Kernels may be told to make memfds without the right to execute (vm.memfd_noexec)
	 * unless they are asked for it; kernels before 6.3 don't know the flag. */
	fd = memfd_create("mmtorture-bench-exec", MFD_CLOEXEC | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("mmtorture-bench-exec", MFD_CLOEXEC);
	if (fd < 0)
		return bench_fail(err, "memfd_create: %s", strerror(errno));
	if (write(fd, &image, sizeof(image)) != (ssize_t)sizeof(image)) {
		bench_fail(err, "write to a memfd: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

#else

int bench_tiny_elf(struct bench_error *err)
{
	return bench_fail(err, "the program to exec is made for x86-64 only");
}

#endif
