#!/usr/bin/env python3
"""Makes section-N.txt from the text of RFC 8448: `extract.py rfc8448.txt`.

Kept, in the RFC's own lines: the steps ("{client}  send handshake record:") and their values. Left out: page breaks, prose, private keys.
"""
import re
import sys

section, keep, out, blank = None, False, {}, False
for line in open(sys.argv[1]):
    line = line.rstrip("\n\f")
    heading = re.match(r"(\d+)\.  (\S.*)", line)
    if heading:
        section, keep = int(heading[1]), False
        if 3 <= section <= 7:
            out[section] = [f"# RFC 8448, Section {section}: {heading[2]}"]
    elif section not in out or re.match(r"RFC 8448  |Thomson  ", line):
        continue
    elif not line.strip():
        continue
    elif line.startswith("   {"):
        keep = True
        out[section] += ["", line]
    elif re.match(r" {6}\S", line) and keep:
        value = re.match(r" {6}([A-Za-z ]+?)(?: \(\d+ octets\))?:  ", line)
        keep_value = not (value and value[1] == "private key")
        if keep_value:
            out[section].append(line)
    elif re.match(r" {9}[0-9a-f]{2}( |$)", line) and keep and keep_value:
        out[section].append(line)
    elif not line.startswith("      "):
        keep = False
for section, lines in out.items():
    with open(f"section-{section}.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
