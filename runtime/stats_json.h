/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_json.h - the guest's figures as the JSON that `events` prints
 *
 * The shape is that of other runtimes: {"type":"stats","id":...,"data":{cpu, memory, pids, blkio,
 * network_interfaces}}, and of our own network_policy: what the filters on the host's side did.
 *
 * Trust: the figures are the guest's word, but for the network's. Names in them are checked.
 * Uses: base, oci/json. Used by: cmd_events.
 */
#ifndef VOLT_STATS_JSON_H
#define VOLT_STATS_JSON_H

#include "base/agent_proto.h"
#include "base/err.h"
#include "net_stats.h"

/**
 * stats_json() - one event, without a newline
 * @net:      NULL: no network
 * @egress:   the annotation with the allow-list, NULL without one
 * @out_text: malloc'd
 */
int stats_json(const char *id, const struct ap_stats *s, const struct net_stats *net,
	       const char *egress, char **out_text, struct vr_err *err)
	__attribute__((warn_unused_result));

/** stats_json_oom() - the event that says that a process was killed for lack of memory */
int stats_json_oom(const char *id, char **out_text, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_STATS_JSON_H */
