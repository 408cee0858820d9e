/* SPDX-License-Identifier: Apache-2.0 */
/* fs_queues.c - the queues of a file server; see fs_queues.h */
#include "fs_queues.h"

#include <errno.h>
#include <unistd.h>

#include "base/checked.h"

#define INTERRUPT_VRING 1u /* bit of InterruptStatus (virtio 1.2, 4.2.2) */

/* Requests served for one queue before the others and the vmm get a look. */
#define BATCH 64u

/* Syscalls: write (role fs) */
static void interrupt(const struct fs_queues *s, struct virtq *q)
{
	const uint64_t one = 1;

	if (!virtq_must_interrupt(q)) {
		return;
	}
	atomic_fetch_or(s->irq_status, INTERRUPT_VRING);
	(void)!write(s->wires->irq_fd, &one, sizeof(one)); /* a full counter interrupts, too */
}

/* Return: true when the queue may have more. */
static bool serve(struct fs_queues *s, struct virtq *q)
{
	struct virtq_chain c = {.iov = s->iov, .cap = VR_ARRAY_SIZE(s->iov)};
	int64_t written;
	unsigned served = 0;
	int rc = 0;

	while (served < BATCH && (rc = virtq_pop(q, &c)) == 1) {
		written = fs_server_handle(s->server, c.iov, c.n_out, c.iov + c.n_out, c.n_in);
		if (virtq_push(q, c.head, written < 0 ? 0 : (uint32_t)written) < 0) {
			break;
		}
		served++;
	}
	if (served > 0) {
		interrupt(s, q);
	}
	return rc == 1;
}

/* Syscalls: read, write (role fs) */
void fs_queues_kicked(struct fs_queues *s, unsigned i)
{
	struct virtq *q = &s->vq[i];
	uint64_t count;

	(void)!read(s->wires->kick_fd[i], &count, sizeof(count)); /* only resets the counter */
	if (i >= s->n || !q->ready || q->broken) {
		return;
	}
	virtq_kicks_off(q);
	if (serve(s, q) || virtq_kicks_on(q)) {
		/* More work: come back through poll, so that nobody else starves. */
		count = 1;
		(void)!write(s->wires->kick_fd[i], &count, sizeof(count));
	}
}

void fs_queues_stop(struct fs_queues *s)
{
	for (unsigned i = 0; i < FS_QUEUES; i++) {
		virtq_reset(&s->vq[i]);
	}
	s->n = 0;
}

int fs_queues_start(struct fs_queues *s, const struct fs_queue_msg *m)
{
	int rc;

	fs_queues_stop(s);
	if (m->n_queues > FS_QUEUES || m->number > AP_MEMBERS_MAX) {
		return -EINVAL;
	}
	s->irq_status = fs_irq_status(s->wires, m->number);
	for (unsigned i = 0; i < m->n_queues; i++) {
		if (!m->layout[i].ready) {
			continue; /* the driver left it alone */
		}
		rc = virtq_setup(&s->vq[i], s->mem, &m->layout[i], VIRTQ_MAX_SIZE, m->features);
		if (rc < 0) {
			fs_queues_stop(s);
			return rc;
		}
	}
	fs_server_reset(s->server);
	s->n = m->n_queues;
	for (unsigned i = 0; i < s->n; i++) {
		fs_queues_kicked(s, i); /* kicks that came before we knew the queues */
	}
	return 0;
}
