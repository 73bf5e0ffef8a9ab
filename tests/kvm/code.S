/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests of a few instructions, in the state PVH enters them: 32-bit, flat, no stack.
 * vm_run_use_code makes kernels of them.
 */
	.section .rodata
	.code32

/* No IDT: the exception has nowhere to go. */
	.globl	code_triple_fault, code_triple_fault_end
code_triple_fault:
	ud2
code_triple_fault_end:

/* Runs until it is stopped. */
	.globl	code_spin, code_spin_end
code_spin:
	sti
	hlt
	jmp	code_spin
code_spin_end:

/*
 * Writes and reads numbers of a linear congruential generator, to config space, to where the disk's
 * BARs are, and to ports. The debug exit is spared, to be used at the end.
 */
#define TURNS 20000
	.globl	code_hostile, code_hostile_end
code_hostile:
	movl	$TURNS, %esi
	movl	$12345, %ebx
1:	imull	$1664525, %ebx, %ebx
	addl	$1013904223, %ebx
	movl	%ebx, %edi
	shrl	$12, %edi
	movl	%ebx, %ecx
	shrl	$29, %ecx
	imull	$1664525, %ebx, %ebx
	addl	$1013904223, %ebx
	cmpl	$3, %ecx
	jb	2f
	je	4f
	/*
	 * The first registers of common, isr, device, notify and MSI-X, where the board placed
	 * them.
	 */
	andl	$0x703c, %edi
	orl	$0xc0000000, %edi
	jmp	3f
	/*
	 * Config space of the first two slots; what is needed to reach the BARs is mended each
	 * time.
	 */
2:	andl	$0x80fc, %edi
	orl	$0xb0000000, %edi
3:	movl	%ebx, (%edi)
	movl	(%edi), %eax
	movl	$0xb0008000, %edi
	movl	$0x6, 0x4(%edi)
	movl	$0xc0000000, 0x14(%edi)
	movl	$0xc0004000, 0x20(%edi)
	jmp	5f
4:	movl	%edi, %edx
	andl	$0xfffc, %edx
	cmpl	$0xf4, %edx
	je	5f
	movl	%ebx, %eax
	outl	%eax, %dx
	inl	%dx, %eax
5:	decl	%esi
	jnz	1b
	xorl	%eax, %eax
	movl	$0xf4, %edx
	outl	%eax, %dx
6:	hlt
	jmp	6b
code_hostile_end:

	.section .note.GNU-stack, "", @progbits
