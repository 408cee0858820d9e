/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ps.c - `ps`: the processes of the host that stand for those of a container
 *
 * Those in the guest have no pid here. Callers show the pids with the host's ps,
 * or signal them: that is what shims are for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "cmd.h"
#include "container.h"

#define PS_OUTPUT_MAX (16u << 20)

struct pids {
	pid_t *v;
	size_t n;
};

static bool is_ours(const struct pids *pids, long pid)
{
	for (size_t i = 0; i < pids->n; i++) {
		if (pids->v[i] == pid) {
			return true;
		}
	}
	return false;
}

/* Which word of ps's header is "PID"? Return: its index, -1 for none. */
static int pid_column(const char *header)
{
	vr_autofree char *copy = strdup(header);
	char *rest = copy;
	int column = 0;

	for (char *word = copy ? strtok_r(copy, " \t", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (strcmp(word, "PID") == 0) {
			return column;
		}
		column++;
	}
	return -1;
}

static long word_number(const char *line, int column)
{
	for (int i = 0; i <= column; i++) {
		line += strspn(line, " \t");
		if (i < column) {
			line += strcspn(line, " \t");
		}
	}
	return strtol(line, NULL, 10); /* 0, nobody's, for what is no number */
}

static int table_print(char *text, const struct pids *pids, struct vr_err *err)
{
	int column = -1;
	char *rest = text;
	char *line = strtok_r(text, "\n", &rest);

	if (line) {
		column = pid_column(line);
		printf("%s\n", line);
	}
	if (column < 0) {
		return vr_err_set(err, EINVAL, "ps: its output has no column 'PID'");
	}
	while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
		if (is_ours(pids, word_number(line, column))) {
			printf("%s\n", line);
		}
	}
	return 0;
}

/* @argv[0] is "ps"; its output up to the end. */
static int ps_run(char **argv, char **out_text, struct vr_err *err)
{
	vr_autoclose int in = -1;
	int fds[2], status, rc;
	size_t len;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		return vr_err_sys(err, errno, "ps: pipe");
	}
	in = fds[0];
	(void)fflush(NULL); /* buffered output must not come out twice */
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], 1); /* if it fails there is no output, which is told */
		execvp("ps", argv);
		_exit(127);
	}
	(void)close(fds[1]);
	if (pid < 0) {
		return vr_err_sys(err, errno, "ps: fork");
	}
	rc = vr_read_fd(in, PS_OUTPUT_MAX, out_text, &len);
	vr_close_reset(&in);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return vr_err_sys(err, errno, "ps: wait for it");
		}
	}
	if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
		free(*out_text);
		*out_text = NULL;
		return vr_err_set(err, EINVAL, "ps: the program 'ps' failed");
	}
	return rc < 0 ? vr_err_sys(err, rc, "ps: read its output") : 0;
}

static int show_table(const struct pids *pids, char **options, int n, struct vr_err *err)
{
	static char name[] = "ps", all[] = "-ef";
	vr_autofree char **argv = calloc((size_t)n + 3, sizeof(*argv));
	vr_autofree char *text = NULL;
	int rc;

	if (!argv) {
		return vr_err_set(err, ENOMEM, "ps: out of memory");
	}
	argv[0] = name;
	argv[1] = all;
	if (n > 0) {
		memcpy(argv + 1, options, (size_t)n * sizeof(*argv));
	}
	rc = ps_run(argv, &text, err);
	return rc < 0 ? rc : table_print(text, pids, err);
}

static void show_json(const struct pids *pids)
{
	printf("[");
	for (size_t i = 0; i < pids->n; i++) {
		printf("%s%d", i > 0 ? "," : "", (int)pids->v[i]);
	}
	printf("]\n");
}

int cmd_ps(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	struct pids pids = {0};
	const char *format = "table";
	const struct opt table[] = {
		{"format", 'f', OPT_STRING, &format, "table or json"},
	};
	char **operands;
	int count;
	int rc = cmd_args_first("ps", "ID [PS-OPTION]...", table, VR_ARRAY_SIZE(table), 1, argc,
				argv, &operands, &count, err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		return vr_err_set(err, EINVAL,
				  "ps: option '--format': '%s' is neither table nor json", format);
	}
	rc = container_open(g, operands[0], false, &c, err);
	if (rc == 0) {
		rc = container_pids(&c, &pids.v, &pids.n, err);
	}
	if (rc == 0 && strcmp(format, "json") == 0) {
		show_json(&pids);
	} else if (rc == 0) {
		rc = show_table(&pids, operands + 1, count - 1, err);
	}
	free(pids.v);
	container_close(&c);
	return rc;
}
