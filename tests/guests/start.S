/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start.S - from the PVH entry, or a SIPI, to 64-bit C with the first 4 GiB mapped as they are
 *
 * There is no interrupt table until somebody makes one: any exception is a triple fault, which ends the machine.
 */
#define GDT_CODE64 0x08
#define GDT_DATA   0x10
#define GDT_CODE32 0x18
#define AP_PAGE	   0x8000 /* see guest.h */

	.section .note.pvh, "a", @note
	.long	4, 4, 18
	.asciz	"Xen"
	.long	entry32

	.section .head, "ax"
	.code32
	.globl	entry32
entry32:
	cli
	movl	$boot_stack_end, %esp
	movl	%ebx, start_info_addr
	xorl	%ebp, %ebp
	movl	$pdpt + 7, pml4
	movl	$pd + 7, %eax
	movl	$pdpt, %edi
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	1b
	movl	$0x83, %eax
	movl	$pd, %edi
	movl	$2048, %ecx
2:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	2b

long_mode:
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER */
	rdmsr
	orl	$0x100, %eax		/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax	/* PG, PE */
	movl	%eax, %cr0
	lgdt	gdt_ptr
	ljmp	$GDT_CODE64, $start64

	.code64
start64:
	movl	$GDT_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	testl	%ebp, %ebp
	jnz	3f
	call	guest_main
3:	call	guest_second
4:	cli
	hlt
	jmp	4b

	.globl	on_interrupt
on_interrupt:
	lock incl interrupts
	pushq	%rax
	movl	$0xfee000b0, %eax	/* the APIC's end of interrupt */
	movl	$0, (%rax)
	popq	%rax
	iretq

	.code32
second32:
	movl	$GDT_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$second_stack_end, %esp
	movl	$1, %ebp
	jmp	long_mode

/* Copied to AP_PAGE: where a second processor begins, in real mode. */
	.code16
	.globl	second_begin, second_end
second_begin:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	AP_PAGE + gdt_ptr16 - second_begin
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$GDT_CODE32, $second32
gdt_ptr16:
	.word	gdt_end - gdt - 1
	.long	gdt
second_end:

	.section .rodata
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00cf9b000000ffff
gdt_end:
gdt_ptr:
	.word	gdt_end - gdt - 1
	.quad	gdt

	.section .bss
	.balign	4096
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4 * 4096
	.skip	32768
boot_stack_end:
	.skip	32768
second_stack_end:
	.globl	start_info_addr
start_info_addr:
	.skip	8
	.globl	interrupts
interrupts:
	.skip	4
	.section .note.GNU-stack, "", @progbits
