/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PVH entry to C at CPL 3. Runs once, on the boot vCPU. A PVH loader (ours, QEMU's) enters
 * pvh_entry in 32-bit protected mode, paging off, with ebx = hvm_start_info. A software KVM takes
 * 0.6 us for every instruction here, so the assembler lays out the page tables, not a loop.
 * Next: guest_main() in main.c; traps come back through vectors.S.
 */
#include "layout.h"

#define CR0_PE_PG  0x80000001
#define CR4_PAE	   0x20
#define MSR_EFER   0xc0000080
#define EFER_LME   0x100
#define PTE_TABLE  0x07 /* present, writable, user: CPL 3 must reach everything */
#define PTE_LARGE  0x87 /* and a 2 MiB page */

/* ELF note XEN_ELFNOTE_PHYS32_ENTRY. QEMU reads eight bytes of it from an ELF64. */
	.section .note.pvh, "a", @note
	.balign 4
	.long	4, 8, 18
	.asciz	"Xen"
	.quad	pvh_entry

	.text
	.code32
	.globl	pvh_entry
	.type	pvh_entry, @function
pvh_entry:
	cli
	cld
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME, %eax
	xorl	%edx, %edx
	wrmsr
	lgdt	gdt_pointer
	movl	$CR0_PE_PG, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE0, $long_mode
	.size	pvh_entry, . - pvh_entry

	.code64
	.type	long_mode, @function
long_mode:
	movl	$SEL_DATA0, %eax
	movl	%eax, %ss
	movl	$trap_stack_top, %esp
	/* The TSS descriptor wants its base in pieces, which a relocation cannot express. */
	movl	$tss, %eax
	movw	%ax, gdt + SEL_TSS + 2
	shrl	$16, %eax
	movb	%al, gdt + SEL_TSS + 4
	movb	%ah, gdt + SEL_TSS + 7
	movl	$SEL_TSS, %eax
	ltr	%ax
	lidt	idt_pointer
	/* Firmware leaves the 8259s' timer running on vectors that are exceptions here. */
	movb	$0xff, %al
	outb	%al, $0x21
	outb	%al, $0xa1
	movl	$SEL_DATA3, %eax
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	/* To CPL 3 with interrupts off; SVC_IRQ_ON lets them in when the IDT is filled. */
	movl	%ebx, %edi
	xorl	%ebp, %ebp
	pushq	$SEL_DATA3
	pushq	$user_stack_top - 8
	pushq	$0x2
	pushq	$SEL_CODE3
	pushq	$guest_main
	iretq
	.size	long_mode, . - long_mode

	.data
	.balign 16
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE0 */
	.quad	0x00cf93000000ffff	/* SEL_DATA0 */
	.quad	0x00cff3000000ffff	/* SEL_DATA3 */
	.quad	0x00affb000000ffff	/* SEL_CODE3 */
	.quad	0x0000890000000067	/* SEL_TSS, 16 bytes */
	.quad	0
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt
	.balign 8
	.word	0, 0, 0
idt_pointer:
	.word	256 * 16 - 1
	.quad	idt

	.balign 16
tss:
	.long	0
	.quad	trap_stack_top		/* rsp0 */
	.quad	0, 0, 0
	.quad	fault_stack_top		/* ist1: double faults */
	.fill	102 - 44, 1, 0
	.word	104			/* no I/O permission bitmap */
	.size	tss, . - tss

/* Identity map of the low 4 GiB by 2 MiB pages; mmu.c adds what lies above. */
	.balign 4096
	.globl	pml4
pml4:
	.quad	pdpt + PTE_TABLE
	.fill	511, 8, 0
pdpt:
	.set	table, 0
	.rept	4
	.quad	page_dirs + table * 4096 + PTE_TABLE
	.set	table, table + 1
	.endr
	.fill	508, 8, 0
page_dirs:
	.set	page, 0
	.rept	4 * 512
	.quad	(page << 21) + PTE_LARGE
	.set	page, page + 1
	.endr

	.bss
	.balign 4096
	.globl	idt
idt:
	.skip	256 * 16
	.skip	4096
trap_stack_top:
	.skip	4096
fault_stack_top:
	.skip	65536
	.globl	user_stack_top
user_stack_top:

	.section .note.GNU-stack, "", @progbits
