/* SPDX-License-Identifier: BSD-2-Clause */
/* The state a vCPU of tiny_vm.h begins in: CPL 3, interrupts on. Failures end the process. */
#ifndef TESTS_TINY_VM_REGS_H
#define TESTS_TINY_VM_REGS_H

#include <stdint.h>

/* Code, page tables, descriptor tables. */
void tiny_vm_init_tables(uint8_t *ram);
void tiny_vcpu_init_regs(int kvm, int vcpu, unsigned int id, uint64_t orders_gpa);

#endif
