/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot_smoke_init.c - the first process for boot_smoke: tells what it sees, then reboots
 *
 * Build it with musl-gcc -static as /init of a newc archive. Words on the kernel's
 * command line: "spin" keeps all processors busy for two seconds first, "log"
 * prints the kernel's log, "die" ends the first process instead.
 */
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void show(const char *path, const char *begin, unsigned max_lines)
{
	char line[512];
	FILE *f = fopen(path, "re");

	while (f && max_lines > 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, begin, strlen(begin)) == 0) {
			printf("init: %s: %s", path, line);
			max_lines--;
		}
	}
	if (f) {
		fclose(f);
	}
}

static void spin_everywhere(long n)
{
	for (long i = 0; i < n; i++) {
		if (fork() == 0) {
			for (time_t end = time(NULL) + 2; time(NULL) < end;) {
			}
			_exit(0);
		}
	}
	while (wait(NULL) > 0) {
	}
}

static void show_log(void)
{
	static char log[1 << 18];
	int n = klogctl(3, log, sizeof(log)); /* read all */

	if (n > 0) {
		fwrite(log, 1, (size_t)n, stdout);
	}
}

static int asked(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], word) == 0) {
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct timespec up;

	(void)mkdir("/proc", 0755);
	(void)mkdir("/sys", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    mount("s", "/sys", "sysfs", 0, NULL) < 0) {
		perror("init: mount");
	}
	(void)clock_gettime(CLOCK_BOOTTIME, &up);
	printf("init: up %ld.%03ld s, %ld processors\n", (long)up.tv_sec, up.tv_nsec / 1000000,
	       sysconf(_SC_NPROCESSORS_ONLN));
	show("/proc/meminfo", "MemTotal", 1);
	show("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", 1);
	show("/proc/cpuinfo", "cpu cores", 1);
	show("/proc/cpuinfo", "physical id", 64);
	show("/proc/interrupts", "", 40);
	if (asked(argc, argv, "log")) {
		show_log();
	}
	if (asked(argc, argv, "spin")) {
		spin_everywhere(sysconf(_SC_NPROCESSORS_ONLN));
		show("/proc/interrupts", "LOC", 1);
	}
	if (asked(argc, argv, "die")) {
		return 1; /* the first process must not end */
	}
	fflush(stdout);
	(void)reboot(RB_AUTOBOOT);
	return 1;
}
