/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_rule.h - policy rules that the guest can have
 *
 * Uses: base, libnl. Used by: net_scan.
 */
#ifndef VOLT_NET_RULE_H
#define VOLT_NET_RULE_H

#include <stdbool.h>

struct nlmsghdr;

/**
 * net_rule_fits() - can the guest be told all that an RTM_NEWRULE message says?
 *
 * Return: false, after a warning, for a rule that would become another one; also for what is none.
 */
bool net_rule_fits(struct nlmsghdr *h) __attribute__((warn_unused_result));

#endif /* VOLT_NET_RULE_H */
