/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the same for the files below net/, whose own headers take as long again; see cc.c */
#include <linux/compiler-version.h>
#include <linux/kconfig.h>
#include <linux/compiler_types.h>

/* Inline functions of net/flow_offload.h, which are for drivers, want it while they are read. */
#define KBUILD_MODNAME "net"
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/seq_file.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/filter.h>
#include <net/sock.h>
#include <net/ip.h>
#include <net/tcp.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_tables.h>
#undef KBUILD_MODNAME
