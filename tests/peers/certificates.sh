#!/bin/sh
# Makes the certificates, keys and PSK files of the peer tests in the folder given: `certificates.sh DIRECTORY`.
# PSK_IDENTITY, PSK_SHA256 and PSK_SHA384 (keys in hex) come from the environment. Each NAME.key has its chain (leaf first, without the root) in NAME.pem; ca.pem holds both roots that are trusted.
set -eu
mkdir -p "$1"
cd "$1"
names='subjectAltName=DNS:server.test,DNS:localhost,IP:127.0.0.1,IP:::1'
leaf='basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
authorityKeyIdentifier=keyid'

# key NAME ALGORITHM [PKEYOPT...]: makes NAME.key.
key() {
    name=$1 algorithm=$2
    shift 2
    openssl genpkey -quiet -algorithm "$algorithm" "$@" -out "$name.key"
}

# root NAME: makes the self-signed NAME.pem for NAME.key.
root() {
    openssl req -x509 -new -key "$1.key" -subj "/O=Handclasp tests/CN=$1" -days 30 -out "$1.pem" \
        -addext 'keyUsage=critical,keyCertSign,cRLSign'
}

# sign NAME ISSUER EXTENSIONS [X509 OPTION...]: makes NAME.crt for NAME.key.
sign() {
    name=$1 issuer=$2
    printf '%s\n' "$3" >"$name.ext"
    shift 3
    openssl req -new -key "$name.key" -subj "/O=Handclasp tests/CN=$name" -out "$name.csr"
    openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -days 30 -out "$name.crt" \
        -extfile "$name.ext" "$@" 2>/dev/null
}

# chain NAME INTERMEDIATE...: makes NAME.pem of NAME.crt and the intermediates, and NAME-intermediates.pem without the leaf.
chain() {
    name=$1
    shift
    cat "$@" >"$name-intermediates.pem"
    cat "$name.crt" "$@" >"$name.pem"
}

server() { sign "$1" "$2" "$leaf
extendedKeyUsage=serverAuth
$names"; }

client() { sign "$1" "$2" "$leaf
extendedKeyUsage=clientAuth
subjectAltName=DNS:$1.test"; }

intermediate() { sign "$1" "$2" "basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid"; }

# The roots: ca.pem trusts two, other-ca.pem is a stranger's.
key root EC -pkeyopt ec_paramgen_curve:P-256
key rsa-root RSA -pkeyopt rsa_keygen_bits:2048
key other-ca EC -pkeyopt ec_paramgen_curve:P-256
for name in root rsa-root other-ca; do root "$name"; done
cat root.pem rsa-root.pem >ca.pem

# A server for each kind of key, straight below the root.
key p256 EC -pkeyopt ec_paramgen_curve:P-256
key p384 EC -pkeyopt ec_paramgen_curve:P-384
key ed25519 ED25519
key rsa2048 RSA -pkeyopt rsa_keygen_bits:2048
key rsa4096 RSA -pkeyopt rsa_keygen_bits:4096
key rsa-pss RSA-PSS -pkeyopt rsa_keygen_bits:2048
for name in p256 p384 ed25519 rsa2048 rsa4096 rsa-pss; do
    server "$name" root
    cp "$name.crt" "$name.pem"
done

# The same keys in their older encodings.
openssl ec -in p256.key -out p256-sec1.key 2>/dev/null
openssl rsa -in rsa2048.key -traditional -out rsa2048-pkcs1.key 2>/dev/null
cp p256.pem p256-sec1.pem
cp rsa2048.pem rsa2048-pkcs1.pem

# Two intermediates of different kinds; and a chain signed with rsa_pkcs1_sha256 throughout.
key issuing-1 EC -pkeyopt ec_paramgen_curve:P-384
key issuing-2 ED25519
key rsa-issuing RSA -pkeyopt rsa_keygen_bits:2048
intermediate issuing-1 root
cp issuing-1.crt issuing-1.pem
intermediate issuing-2 issuing-1
cp issuing-2.crt issuing-2.pem
intermediate rsa-issuing rsa-root
cp rsa-issuing.crt rsa-issuing.pem
key intermediates EC -pkeyopt ec_paramgen_curve:P-256
server intermediates issuing-2
chain intermediates issuing-2.crt issuing-1.crt
key pkcs1 RSA -pkeyopt rsa_keygen_bits:2048
server pkcs1 rsa-issuing
chain pkcs1 rsa-issuing.crt

# Clients: of our roots, of a stranger's, and one for each kind of key that differs in CertificateVerify.
for name in client other-client client-p384 client-ed25519 client-rsa client-rsa-pss; do
    case $name in
    *-p384) key $name EC -pkeyopt ec_paramgen_curve:P-384 ;;
    *-ed25519) key $name ED25519 ;;
    *-rsa) key $name RSA -pkeyopt rsa_keygen_bits:2048 ;;
    *-rsa-pss) key $name RSA-PSS -pkeyopt rsa_keygen_bits:2048 ;;
    *) key $name EC -pkeyopt ec_paramgen_curve:P-256 ;;
    esac
    case $name in
    other-*) client $name other-ca ;;
    client-p384) client $name issuing-2 ;;
    *) client $name root ;;
    esac
    cp "$name.crt" "$name.pem"
done
chain client-p384 issuing-2.crt issuing-1.crt

# External PSKs: psk.txt for gnutls-serv (a # says that the identity is in hex), psk-session.pem for OpenSSL with SHA-384.
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
printf '#%s:%s\n' "$(hex "$PSK_IDENTITY")" "$PSK_SHA256" >psk.txt
cat >psk-session.cnf <<CONFIGURATION
asn1 = SEQUENCE:session
[session]
version = INTEGER:1
protocol = INTEGER:0x0304
cipher = FORMAT:HEX,OCTETSTRING:1302
session_id = OCTETSTRING:
master_key = FORMAT:HEX,OCTETSTRING:$PSK_SHA384
CONFIGURATION
openssl asn1parse -genconf psk-session.cnf -noout -out psk-session.der
{
    echo '-----BEGIN SSL SESSION PARAMETERS-----'
    openssl base64 -in psk-session.der
    echo '-----END SSL SESSION PARAMETERS-----'
} >psk-session.pem

# A stranger's server, and one whose time is over (`openssl x509` cannot date into the past, `openssl ca` can).
key other EC -pkeyopt ec_paramgen_curve:P-256
server other other-ca
cp other.crt other.pem
key expired EC -pkeyopt ec_paramgen_curve:P-256
openssl req -new -key expired.key -subj /CN=expired -out expired.csr
cat >expired.cnf <<CONFIGURATION
[ca]
default_ca = default
[default]
database = expired.index
new_certs_dir = .
policy = policy
rand_serial = yes
default_md = sha256
x509_extensions = extensions
[policy]
commonName = supplied
[extensions]
$leaf
$names
CONFIGURATION
: >expired.index
openssl ca -batch -notext -config expired.cnf -cert root.pem -keyfile root.key -in expired.csr -out expired.pem \
    -startdate 20200101000000Z -enddate 20200201000000Z 2>/dev/null
