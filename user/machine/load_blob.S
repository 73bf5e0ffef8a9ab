/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The built-in load guest (user/guest) as bytes of ours; the Makefile puts its folder on the
 * assembler's path.
 */
	.section .rodata
	.globl	handoff_load_elf_start, handoff_load_elf_end
	.balign	16
	.type	handoff_load_elf_start, @object
handoff_load_elf_start:
	.incbin	"load.elf"
handoff_load_elf_end:
	.size	handoff_load_elf_start, . - handoff_load_elf_start

	.section .note.GNU-stack, "", @progbits
