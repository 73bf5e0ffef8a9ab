/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI devices of a VM, by QMP: all buses in one list, with names for those that have no id. */
#ifndef CMD_NAMES_PCI_H
#define CMD_NAMES_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <handoff/compiler.h>
#include <handoff/discover.h>

struct qmp_client;

#define PCI_FOUND_MAX  256
#define PCI_FOUND_BARS 6

struct pci_found {
	char name[VM_NAME];   /* shown; "" = none yet */
	char id[VM_NAME];     /* given by the user; "" = none */
	char object[VM_NAME]; /* child of /machine/peripheral-anon; "" = not known to be one */
	int bridge;	      /* the device it is behind; -1 = on a root bus */
	uint32_t bus, devfn, vendor;
	unsigned int n_bars;
	struct {
		uint64_t address, size;
		bool pio;
	} bar[PCI_FOUND_BARS];
};

struct pci_list {
	unsigned int n;
	struct pci_found found[PCI_FOUND_MAX];
};

/* Names end up on terminals: what is not printable becomes '?'. */
void pci_keep_name(char to[VM_NAME], const char *from);

/* query-pci's answer, buses behind bridges included; what is beyond the list's size is left out. */
void pci_list_fill(struct pci_list *list, const json_t *buses);

/* Names for those without an id. A VM that does not tell them leaves places for names; of more
 * objects than the list has room for no more are asked. */
void pci_list_name(struct pci_list *list, struct qmp_client *qmp);

#endif
