#!/usr/bin/env python3
"""Makes ecdsa_secp256r1_sha384.txt: `extract.py SigVer.rsp`, of CAVS 11.0. Its form is that of ../wycheproof."""
import re
import sys

SPKI = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"


def integer(digits):
    digits = digits.lstrip("0")
    digits = "0" * (len(digits) % 2) + digits
    if int(digits[:2], 16) > 0x7F:
        digits = "00" + digits
    return f"02{len(digits) // 2:02x}{digits}"


with open(sys.argv[1]) as file:
    section = file.read().split("[P-256,SHA-384]")[1].split("[")[0]
lines = ["# NIST CAVP, FIPS 186-3, SigVer.rsp, [P-256,SHA-384]"]
for number, case in enumerate(re.split(r"\n\s*\n", section.strip()), 1):
    fields = dict(line.split(" = ") for line in case.splitlines())
    signature = integer(fields["R"]) + integer(fields["S"])
    result = "valid" if fields["Result"].startswith("P") else "invalid"
    lines.append(f"key {SPKI}{fields['Qx']}{fields['Qy']}")
    lines.append(f"{number} {result} {fields['Msg']} 30{len(signature) // 2:02x}{signature}")
with open("ecdsa_secp256r1_sha384.txt", "w") as file:
    file.write("\n".join(lines) + "\n")
