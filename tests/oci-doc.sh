#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# oci-doc.sh - the parts of docs/OCI.md that programs know better than people
#
# usage: oci-doc.sh BUILD-DIR [--check]
#
# Between its marks the document has the parser's table of fields (printed by the unit test
# that also compares it) and the options as each verb's --help has them. Without --check
# the document is rewritten, with it a difference is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 doc=docs/OCI.md
new=$(mktemp) || exit 1
trap 'rm -f "$new"' EXIT

# Lines "  -b, --bundle VALUE   what it does" as rows of a table. $1: what stands in its first column
options() {
	sed -n 's/^  *\(-., \)\{0,1\}\(--[a-z0-9-]*\)\( VALUE\)\{0,1\}  *\(.*\)$/\1\2\3|\4/p' |
		grep -v -e '--help|' | while IFS='|' read -r option help; do
			# shellcheck disable=SC2016 # the document's quotes
			printf '| %s | `%s` | %s |\n' "$1" "$option" "$help"
		done
}

verbs() {
	"$build/volt-runc" --help | sed -n '/^commands:$/,/^$/s/^  \([a-z]*\)  *.*/\1/p'
}

flags() {
	printf '| verb | option | what it does |\n|---|---|---|\n'
	"$build/volt-runc" --help | sed -n '/^options:$/,$p' | options '(before the verb)'
	for verb in $(verbs); do
		"$build/volt-runc" "$verb" --help | options "\`$verb\`"
	done
}

# section NAME COMMAND... - the document on stdin with what COMMAND prints between NAME's marks
section() {
	local name=$1 line inside=0
	shift
	while IFS= read -r line; do
		case $line in
		"<!-- $name: made by "*)
			printf '%s\n' "$line"
			"$@" || exit 1
			inside=1
			;;
		"<!-- end of $name -->") inside=0 ;;
		esac
		[ "$inside" = 1 ] || printf '%s\n' "$line"
	done
}

section fields "$build/tests/test_oci_doc" fields < "$doc" |
	section annotations "$build/tests/test_oci_doc" annotations | section options flags > "$new"
if [ "${2:-}" = --check ]; then
	diff -u "$doc" "$new" || { echo "$doc is not up to date: run 'make docs'"; exit 1; }
elif ! cmp -s "$doc" "$new"; then
	cat "$new" > "$doc"
fi
