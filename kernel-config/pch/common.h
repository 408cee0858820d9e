/* SPDX-License-Identifier: Apache-2.0 */
/* common.h - what most files of the kernel include first; see cc.c */
#include <linux/compiler-version.h>
#include <linux/kconfig.h>
#include <linux/compiler_types.h>

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/seq_file.h>
#include <linux/syscalls.h>
#include <linux/interrupt.h>
#include <linux/pagemap.h>
#include <linux/blkdev.h>
#include <linux/security.h>
