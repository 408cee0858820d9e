/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile.c - a guest that attacks what is around it
 *
 * Booted in place of the kernel, with a file of words in place of the initramfs:
 * it does what they name, in their order, and says so on the console after each.
 * A word "seed" chooses the random numbers by the number behind it.
 */
#include "guest.h"

#define WORD_MAX  32u
#define WORDS_MAX 512u

static void end_reset(void)
{
	outb(0x64, 0xfe);
	stop();
}

static void end_poweroff(void)
{
	outb(0x600, 0x34);
	stop();
}

static void end_triple(void)
{
	__asm__ volatile("ud2"); /* nobody handles it */
}

static void end_spin(void)
{
	for (;;) {
		__asm__ volatile("");
	}
}

/* Instructions from a device's registers, which nothing can emulate. */
static void end_wild(void)
{
	void (*there)(void) = (void (*)(void))(MMIO_BASE + R_STATUS);

	there();
}

/* Say which devices there are, and attack them all. */
static void find_all(void)
{
	static char line[128] = "\nhostile: devices";
	size_t n = length("\nhostile: devices");

	survey(0);
	for (unsigned i = 0; i < n_devices; i++) {
		line[n++] = ' ';
		if (devices[i].id >= 10) {
			line[n++] = (char)('0' + devices[i].id / 10);
		}
		line[n++] = (char)('0' + devices[i].id % 10);
	}
	line[n++] = '\n';
	if (!print(line, n)) {
		stop();
	}
}

/* Attack the file server's device of a container that has joined, and no other. */
static void find_joined(void)
{
	survey(ID_FS);
	while (n_devices == 0 || devices[n_devices - 1].slot == SLOT_FS) {
		survey(ID_FS);
	}
	devices[0] = devices[n_devices - 1];
	n_devices = 1;
}

static const struct {
	const char *word;
	void (*act)(void);
} acts[] = {
	{"devices", find_all},	{"joined", find_joined}, {"registers", do_registers},
	{"states", do_states},	{"queues", do_queues},	 {"doorbells", do_doorbells},
	{"ports", do_ports},	{"console", do_console}, {"race", do_race},
	{"touch", do_touch},	{"vsock", do_vsock},	 {"net", do_net},
	{"blk", do_blk},	{"ticks", do_ticks},	 {"lines", do_lines},
	{"ipis", do_ipis},	{"reset", end_reset},	 {"poweroff", end_poweroff},
	{"triple", end_triple}, {"halt", stop},		 {"spin", end_spin},
	{"wild", end_wild},
};

static void obey(const char *word)
{
	if (word[0] >= '0' && word[0] <= '9') {
		uint64_t seed = 0;

		for (; *word; word++) {
			seed = seed * 10 + (uint64_t)(*word - '0');
		}
		rnd_seed(seed);
		return;
	}
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (same(acts[i].word, word)) {
			acts[i].act();
			done(word);
			return;
		}
	}
	do_agent(word); /* the rest are ways to break the agent's protocol */
}

/* The next word of @text, up to @end. Return: what follows it, NULL when there was none. */
static const char *next_word(const char *text, const char *end, char word[WORD_MAX])
{
	size_t n = 0;

	while (text < end && *text <= ' ') {
		text++;
	}
	while (text<end && * text> ' ' && n < WORD_MAX - 1) {
		word[n++] = *text++;
	}
	word[n] = '\0';
	return n > 0 ? text : NULL;
}

_Noreturn void guest_main(void);
_Noreturn void guest_main(void)
{
	/* struct hvm_start_info: modules at 16; struct hvm_modlist_entry: address, size */
	const uint64_t *module = (void *)*(uint64_t *)(start_info_addr + 16);
	size_t len = module[1] < WORDS_MAX ? module[1] : WORDS_MAX;
	static char words[WORDS_MAX]; /* a copy: what they do may overwrite them */
	const char *text = words;
	const char *end = words + len;
	char word[WORD_MAX];

	memcpy(words, (void *)module[0], len);
	survey(0);

	while ((text = next_word(text, end, word))) {
		obey(word);
	}
	stop();
}
