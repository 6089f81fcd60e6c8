#!/bin/sh
# Makes the certificates and CRLs of tests/x509.rs beside this script, with openssl 3; the private keys but one are thrown away.
# They are valid from the day they are made, most for a hundred years; the tests set their clock to 2030 (and 2040).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f ./*.pem

key() { # key NAME ALGORITHM [OPTION]
	name=$1 algorithm=$2
	shift 2
	openssl genpkey -quiet -algorithm "$algorithm" "$@" -out "$work/$name.key" 2>/dev/null ||
		openssl genpkey -algorithm "$algorithm" "$@" -out "$work/$name.key" 2>/dev/null
}
ec() { key "$1" EC -pkeyopt "ec_paramgen_curve:${2:-P-256}"; }

# certificate FILE SUBJECT KEY ISSUER[=self] EXTENSIONS [OPTION...]: the issuer is FILE:KEY, or self.
certificate() {
	file=$1 subject=$2 key=$3 issuer=$4 extensions=$5
	shift 5
	printf '%b\n' "$extensions" >"$work/extensions"
	case "$*" in *-days*) ;; *) set -- "$@" -days 36500 ;; esac
	openssl req -new -key "$work/$key.key" -subj "$subject" -utf8 -out "$work/request" 2>/dev/null
	if [ "$issuer" = self ]; then
		set -- "$@" -signkey "$work/$key.key"
	else
		set -- "$@" -CA "${issuer%%:*}.pem" -CAkey "$work/${issuer#*:}.key"
	fi
	serial=$((serial + 1))
	openssl x509 -req -in "$work/request" -set_serial "$serial" -extfile "$work/extensions" -out "$file.pem" "$@" 2>/dev/null
}
serial=1000

ids='subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid'
none='subjectKeyIdentifier=none\nauthorityKeyIdentifier=none' # openssl 3 adds both unless told not to
ca="$ids\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign"
names='subjectAltName=DNS:server.test,DNS:*.wild.test,IP:10.0.0.1,IP:fd00::1'
leaf="$ids\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n$names"

for name in root other root-b intermediate below twin-1 twin-2 loop-a loop-b leaf appliance; do ec $name; done

# The plain case: root, intermediate, leaf; and what hangs beside it.
certificate root /CN=Root root self "$ca"
certificate other /CN=Root other self "$ca"
certificate intermediate '/O=Lab/CN=Intermediate' intermediate root:root "$ca\nbasicConstraints=critical,CA:TRUE,pathlen:0"
certificate leaf /CN=server leaf intermediate:intermediate "$leaf"
certificate below '/CN=Below' below intermediate:intermediate "$ca"
certificate leaf-too-deep /CN=server leaf below:below "$leaf"
certificate intermediate-brief '/O=Lab/CN=Intermediate' intermediate root:root "$ca" -days 3650
certificate intermediate-server '/O=Lab/CN=Intermediate' intermediate root:root "$ca\nextendedKeyUsage=serverAuth"
certificate intermediate-no-sign '/O=Lab/CN=Intermediate' intermediate root:root "$ids\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign"
certificate intermediate-no-ca '/O=Lab/CN=Intermediate' intermediate root:root "$ids\nbasicConstraints=critical,CA:FALSE"
certificate intermediate-lax '/O=Lab/CN=Intermediate' intermediate root:root "$ids\nbasicConstraints=CA:TRUE"
certificate intermediate-critical '/O=Lab/CN=Intermediate' intermediate root:root "$ca\n1.2.3.4=critical,ASN1:UTF8String:x"

# A cross-signed root, two authorities of one name, and two that certify each other alone.
certificate root-b '/CN=Root B' root-b self "$ca"
certificate cross-b '/CN=Root B' root-b root:root "$ca"
certificate leaf-b /CN=server leaf root-b:root-b "$leaf"
certificate twin-1 /CN=Twin twin-1 root:root "$ca"
certificate twin-2 /CN=Twin twin-2 root:root "$ca"
certificate leaf-twin /CN=server leaf twin-2:twin-2 "$leaf"
certificate leaf-twin-unnamed /CN=server leaf twin-2:twin-2 "$none\n$names"
certificate loop-b-self '/CN=Loop B' loop-b self "$ca"
certificate loop-a '/CN=Loop A' loop-a loop-b-self:loop-b "$ca"
certificate loop-b '/CN=Loop B' loop-b loop-a:loop-a "$ca"
certificate leaf-loop /CN=server leaf loop-a:loop-a "$leaf"
rm loop-b-self.pem

# End entities, each with one thing about it.
certificate leaf-client /CN=client leaf intermediate:intermediate "$ids\nextendedKeyUsage=clientAuth"
certificate leaf-rpc /CN=rpc leaf intermediate:intermediate "$ids\nextendedKeyUsage=1.3.6.1.5.5.7.3.34\n$names"
certificate leaf-any /CN=any leaf intermediate:intermediate "$ids\nextendedKeyUsage=anyExtendedKeyUsage\n$names"
certificate leaf-plain /CN=plain leaf intermediate:intermediate "$ids\n$names"
certificate leaf-no-ids /CN=server leaf intermediate:intermediate "$none\n$names"
certificate leaf-agreement /CN=server leaf intermediate:intermediate "$ids\nkeyUsage=keyAgreement\n$names"
certificate leaf-common-name /CN=server.test leaf intermediate:intermediate "$ids"
certificate leaf-nasty "$(printf '/CN=a\nb\047c\342\200\256d')" leaf intermediate:intermediate "$leaf" -days 1

# Appliances: trusted directly, one as openssl req -x509 makes it, one that is no CA, one of another's issue.
certificate appliance /CN=appliance appliance self "$ids\nbasicConstraints=critical,CA:TRUE\n$names"
certificate appliance-no-ca /CN=appliance appliance self "$ids\nbasicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n$names"

# Algorithms: those accepted, and those refused.
key rsa-2048 RSA -pkeyopt rsa_keygen_bits:2048
key rsa-1024 RSA -pkeyopt rsa_keygen_bits:1024
cp "$work/rsa-1024.key" key-rsa-1024.pem # the only one that is kept: it must be refused
key ed25519 ED25519
ec p384 P-384
ec p521 P-521
for kind in rsa-2048 p384 ed25519 p521; do
	certificate "root-$kind" "/CN=Root $kind" $kind self "$ca"
	certificate "leaf-$kind" "/CN=server" leaf root-$kind:$kind "$leaf"
done
certificate leaf-rsa-pss /CN=server leaf root-rsa-2048:rsa-2048 "$leaf" -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48
certificate leaf-rsa-pss-salt /CN=server leaf root-rsa-2048:rsa-2048 "$leaf" -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20
certificate leaf-rsa-sha512 /CN=server rsa-2048 root-rsa-2048:rsa-2048 "$leaf" -sha512
certificate leaf-rsa-sha1 /CN=server leaf root-rsa-2048:rsa-2048 "$leaf" -sha1
certificate leaf-rsa-md5 /CN=server leaf root-rsa-2048:rsa-2048 "$leaf" -md5
certificate leaf-p256-sha384 /CN=server leaf root:root "$leaf" -sha384
certificate leaf-p384-sha256 /CN=server leaf root-p384:p384 "$leaf" -sha256
certificate leaf-p256-sha512 /CN=server leaf root:root "$leaf" -sha512
certificate leaf-rsa-1024 /CN=server rsa-1024 root:root "$leaf"

# Name constraints that openssl can write and limbo does not have.
certificate constrained-uri /CN=Constrained twin-1 root:root "$ca\nnameConstraints=critical,permitted;URI:.test"
certificate leaf-uri /CN=server leaf constrained-uri:twin-1 "$leaf,URI:https://a.test/x"
certificate leaf-uri-outside /CN=server leaf constrained-uri:twin-1 "$leaf,URI:https://a.example/x"
certificate leaf-uri-hostless /CN=server leaf constrained-uri:twin-1 "$leaf,URI:urn:uuid:1"

# Policies: required by the intermediate, and kept or not.
certificate policy-ca '/CN=Policy CA' twin-1 root:root "$ca\ncertificatePolicies=1.2.3.4\npolicyConstraints=critical,requireExplicitPolicy:0"
certificate leaf-policy /CN=server leaf policy-ca:twin-1 "$leaf\ncertificatePolicies=1.2.3.4"
certificate leaf-policy-none /CN=server leaf policy-ca:twin-1 "$leaf"

# CRLs of the intermediate: nothing revoked, leaf revoked, stale, of another key; and one of the root that revokes the intermediate.
revoke() { # revoke FILE ISSUER KEY NEXT-UPDATE EXTENSIONS [CERTIFICATE]
	: >"$work/index"
	echo 01 >"$work/number"
	cat >"$work/ca.cnf" <<-CNF
		[ca]
		default_ca = this
		[this]
		database = $work/index
		crlnumber = $work/number
		default_md = sha256
		certificate = $2.pem
		private_key = $work/$3.key
		[crl]
		authorityKeyIdentifier = keyid
		$(printf '%b' "$5")
	CNF
	if [ -n "${6-}" ]; then
		openssl ca -config "$work/ca.cnf" -revoke "$6.pem" -crl_reason keyCompromise 2>/dev/null
	fi
	openssl ca -config "$work/ca.cnf" -gencrl -crlexts crl -crl_nextupdate "$4" -out "$1.pem" 2>/dev/null
}
revoke crl-clear intermediate intermediate 21000101000000Z ''
revoke crl-revoked intermediate intermediate 21000101000000Z '' leaf
revoke crl-stale intermediate intermediate 20280101000000Z ''
revoke crl-stale-revoked intermediate intermediate 20280101000000Z '' leaf
revoke crl-forged intermediate intermediate 21000101000000Z ''
revoke crl-root root root 21000101000000Z '' intermediate
revoke crl-root-clear root root 21000101000000Z ''
revoke crl-delta intermediate intermediate 21000101000000Z '2.5.29.27=critical,ASN1:INTEGER:1'
revoke crl-partial intermediate intermediate 21000101000000Z 'issuingDistributionPoint=critical,@idp\n[idp]\nonlyuser=TRUE'
# One octet of the signature's last integer is changed.
openssl crl -in crl-forged.pem -outform DER -out "$work/crl.der"
python3 - "$work/crl.der" <<-'PY'
	import sys
	crl = bytearray(open(sys.argv[1], "rb").read())
	crl[-1] ^= 1
	open(sys.argv[1], "wb").write(crl)
PY
openssl crl -inform DER -in "$work/crl.der" -out crl-forged.pem 2>/dev/null

