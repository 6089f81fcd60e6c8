//! Writes the seeds of every target into the folder that it is given: what real handshakes say, real files, and scripts that reach
//! each action. `fuzz/seed` then keeps what adds coverage.

use std::{error::Error, fs, path::Path, process::Command};

use handclasp::engine::Role;
use handclasp_fuzz::{
    certificates::{
        authority_extensions, extension, name, revocations, server_extensions, sign, to_be_signed,
    },
    ends::{Answers, End, Shape},
    input::Input,
    mutation::fix_length,
    wire::{Forgeries, Wire},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let folder = Path::new(&folder);
    for (target, seeds) in [
        ("message", messages()),
        ("client", recorded(Role::Client)),
        ("server", recorded(Role::Server)),
        ("handshake", handshakes()),
        ("connection", connections()),
        ("key_file", keys()?),
        ("certificate", certificates()),
        ("configuration", configurations()),
        ("netlink", netlink()),
        ("border", border()),
        ("arguments", arguments()),
    ] {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(number.to_string()), seed)?;
        }
    }
    Ok(())
}

/// Shapes that differ in every way they can, in few.
const SHAPES: [u16; 27] = [
    0x0000, 0x0001, 0x0002, 0x0004, 0x0005, 0x0006, 0x000c, 0x0010, 0x0020, 0x0050, 0x0060, 0x0080, 0x0084,
    0x008d, 0x0100, 0x0204, 0x0400, 0x0660, 0x0800, 0x1200, 0x2080, 0x2085, 0x2ee1, 0x36d0, 0x8000, 0x8004,
    0x8085,
];

fn shape(bits: u16) -> Shape {
    Shape::read(&mut Input(&bits.to_be_bytes()))
}

/// Every message of every shape, and those that no handshake has.
fn messages() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = SHAPES
        .iter()
        .flat_map(|bits| {
            let mut wire = Wire::new(shape(*bits), vec![], Forgeries::default());
            wire.run();
            wire.client.history
        })
        .collect();
    messages.push(vec![24, 0, 0, 1, 0]);
    messages.push(vec![5, 0, 0, 0]);
    messages.push(ticket());
    messages.sort();
    messages.dedup();
    messages
}

fn ticket() -> Vec<u8> {
    let mut ticket =
        [&[4, 0, 0, 0][..], &[0; 8], &[1, 1, 0, 3, 7, 7, 7], &[0, 8, 0, 42, 0, 4, 0, 0, 0, 1]].concat();
    fix_length(&mut ticket);
    ticket
}

/// What the peer of this role says in each shape; both ends are the same in every run, and so it will be accepted.
fn recorded(role: Role) -> Vec<Vec<u8>> {
    SHAPES.iter().map(|bits| [&bits.to_be_bytes()[..], &[0], &record(role, shape(*bits))].concat()).collect()
}

fn record(role: Role, shape: Shape) -> Vec<u8> {
    let peer_role = if role == Role::Client { Role::Server } else { Role::Client };
    let mut end = End::new(role, shape, Answers::default());
    let mut peer = End::new(peer_role, shape, Answers::default());
    let (mut to_end, mut to_peer, mut said) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let ours = end.run(&mut to_end);
        to_peer.extend_from_slice(&ours);
        let theirs = peer.run(&mut to_peer);
        to_end.extend_from_slice(&theirs);
        said.extend_from_slice(&theirs);
        if ours.is_empty() && theirs.is_empty() {
            return said;
        }
    }
}

/// Each shape untouched, and each change of each message in a few shapes.
fn handshakes() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        SHAPES.iter().map(|bits| [&bits.to_be_bytes()[..], &[0]].concat()).collect();
    for bits in [0x0660_u16, 0x008d, 0x2085, 0x0050] {
        for forgeries in [0, 7] {
            for message in 0..10 {
                for change in 0..19 {
                    let arguments = [3, 6, 2, 1, 2, 3, 4, 5, 6];
                    let head = [&bits.to_be_bytes()[..], &[forgeries, message, change]].concat();
                    seeds.push([&head[..], &arguments].concat());
                }
            }
        }
    }
    seeds
}

/// Each action alone, and some one after the other.
fn connections() -> Vec<Vec<u8>> {
    let actions: [&[u8]; 14] = [
        &[0, 0, 100, 7],
        &[1, 0],
        &[1, 1],
        &[2, 1, 0, 2, 2, 40, 0, 3],
        &[2, 2, 0, 5, 24, 0, 0, 1, 1, 0, 0],
        &[3, 1, 2, 2, 40],
        &[4, 24, 1, 1, 2],
        &[4, 4, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 0, 0, 1, 2, 3, 4, 7],
        &[5, 2, 0],
        &[6, 1],
        &[7],
        &[8],
        &[9, 3, 1, 2, 3],
        &[10, 0, 7, 23, 3, 3, 0, 2, 1, 2],
    ];
    let mut seeds = Vec::new();
    for shape in [0, 1, 6, 12] {
        seeds.extend(actions.iter().map(|action| [&[shape], *action].concat()));
        seeds.push([&[shape], &actions[..10].concat()[..]].concat());
        seeds.push([vec![shape], actions[1].repeat(33)].concat());
        seeds.push([&[shape], &[0, 0, 9, 0, 1, 1, 1, 0, 5, 0, 50, 6, 0, 0, 1, 0, 0, 7, 8][..]].concat());
    }
    seeds
}

/// Keys of all kinds as OpenSSL writes them, in PEM and DER.
fn keys() -> Result<Vec<Vec<u8>>> {
    let script = r#"
        set -e; cd "$1"
        openssl genpkey -algorithm ED25519 -out 0.pem
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out 1.pem
        openssl ecparam -name secp384r1 -genkey -out 2.pem
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out 3.pem
        openssl rsa -in 3.pem -traditional -out 4.pem
        openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256 \
            -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32 -out 5.pem
        openssl pkey -in 1.pem -aes128 -passout pass:x -out 6.pem
        openssl ec -in 2.pem -aes128 -passout pass:x -out 7.pem
        for key in 0 1 2 3 4 5; do
            openssl pkey -in $key.pem -outform DER -out $key.der
            openssl pkey -in $key.pem -pubout -outform DER -out $key.spki
        done
        openssl req -x509 -new -key 0.pem -subj /CN=a -out 8.pem
        cat 8.pem 0.pem 8.pem > 9.pem
    "#;
    let folder = std::env::temp_dir().join(format!("handclasp-seeds-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(&folder).output()?;
    if !output.status.success() {
        return Err(format!("openssl: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let seeds =
        fs::read_dir(&folder)?.map(|entry| fs::read(entry?.path())).collect::<std::result::Result<_, _>>()?;
    fs::remove_dir_all(folder)?;
    Ok(seeds)
}

fn certificates() -> Vec<Vec<u8>> {
    let leaf = to_be_signed("A", "server.test", &server_extensions(&[]));
    let mut seeds = vec![
        [&[0][..], &sign(&leaf)].concat(),
        b"\x01-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".to_vec(),
        chain(0, &[leaf]),
        chain(0x34, &[to_be_signed("A", "server.test", &server_extensions(&[]))]),
    ];
    for more in extensions() {
        let authority = to_be_signed("A", "B", &authority_extensions(std::slice::from_ref(&more)));
        seeds.push(chain(0, &[to_be_signed("B", "server.test", &server_extensions(&[])), authority]));
        seeds.push(chain(0x10, &[to_be_signed("A", "server.test", &server_extensions(&[more]))]));
    }
    for of_everybody in [false, true] {
        let leaf = to_be_signed("A", "server.test", &server_extensions(&[]));
        seeds.push([&[0][..], &sign(&revocations(of_everybody))].concat());
        seeds.push(chain(0x02, &[revocations(of_everybody), leaf.clone()]));
        seeds.push(chain(0x42, &[revocations(of_everybody), leaf]));
    }
    let deep: Vec<_> = ["B", "C", "D", "A"]
        .windows(2)
        .map(|w| to_be_signed(w[1], w[0], &authority_extensions(&[])))
        .collect();
    let leaf = to_be_signed("B", "server.test", &server_extensions(&[]));
    seeds.push(chain(8, &[&[leaf][..], &deep].concat()));
    seeds
}

/// A find_path input.
fn chain(bits: u8, certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut seed = vec![2, bits, 0, 0];
    for certificate in certificates {
        seed.extend_from_slice(&u16::try_from(certificate.len()).expect("small").to_be_bytes());
        seed.extend_from_slice(certificate);
    }
    seed
}

/// One of each extension, with something in it.
fn extensions() -> Vec<Vec<u8>> {
    let policies = b"\x30\x1a\x30\x06\x06\x04\x2a\x03\x04\x05\x30\x10\x06\x04\x55\x1d\x20\x00\x30\x08\x30\x06\x06\x02\x2a\x03\x05\x00";
    let directory = [&[0xa4, name("B").len() as u8], &name("B")[..]].concat();
    let subtree = [&[0x30, directory.len() as u8], &directory[..]].concat();
    let by_name = [&[0x30, subtree.len() as u8 + 2, 0xa0, subtree.len() as u8], &subtree[..]].concat();
    vec![
        extension(30, true, b"\x30\x0a\xa0\x08\x30\x06\x82\x04test"),
        extension(30, true, b"\x30\x0e\xa1\x0c\x30\x0a\x87\x08\xc0\x00\x02\x00\xff\xff\xff\x00"),
        extension(30, true, b"\x30\x11\xa0\x0f\x30\x06\x81\x04test\x30\x05\x86\x03.te"),
        extension(30, true, &by_name),
        extension(32, false, policies),
        extension(33, true, b"\x30\x0c\x30\x0a\x06\x03\x2a\x03\x04\x06\x03\x2a\x03\x05"),
        extension(36, true, b"\x30\x06\x80\x01\x00\x81\x01\x00"),
        extension(54, true, b"\x02\x01\x00"),
        extension(17, true, b"\x30\x17\x87\x04\xc0\x00\x02\x01\x81\x03a@b\x86\x03a:b\x88\x01\x2a\x82\x00"),
        extension(19, true, b"\x30\x06\x01\x01\xff\x02\x01\x00"),
        extension(31, false, b"\x30\x0e\x30\x0c\xa0\x0a\xa0\x08\x86\x06http:/"),
        extension(37, false, b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x22"),
    ]
}

fn configurations() -> Vec<Vec<u8>> {
    [
        "# a comment\n[debug]\nloglevel=1\ntls=0\nnl=3\ndelay_done=0\n",
        "[authenticate]\nkeyrings= .nvme;my keys;\n",
        "[authenticate.client]\nx509.truststore = /etc/ca.pem\nx509.crl=\n#x509.certificate= <pathname>\n",
        "[authenticate.server]\nx509.certificate=/etc/a\\sb\\n\\t\\r\\\\.pem\nx509.private_key=pkcs11:x\n",
        "[authenticate.server]\nx509.pq.certificate=/p\nx509.private_key=tpmkey:x\nx509.private_key=\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Orders and reports between broker and worker: Begin (a server without credentials), Signature, Psk, Abort; Sign, FindPsk, Done, Failed.
fn border() -> Vec<Vec<u8>> {
    let message = |kind: u8, public: &[u8], secrets: &[u8]| {
        let [.., a, b, c] = public.len().to_be_bytes();
        [&[0, 0, 0, 7, kind, a, b, c], public, secrets].concat()
    };
    let time = 1_900_000_000_u64.to_be_bytes();
    let codes = [0, 2, 0x13, 1, 0, 2, 0, 29];
    let server = [&time[..], &codes, &[0, 0, 0, 1, 0, 0, 0, 2, 4, 3, 0, 0, 0, 1, 0x40, 1, 0]].concat();
    let identity = [0, 0, 4, b'h', b'o', b's', b't'];
    let psk = [&[1, 0, 0][..], &identity, &[1, 0]].concat();
    let done = [&[0x13, 1, 0, 29][..], &[0; 16], &[0, 0, 1], &identity, &[0, 0]].concat();
    vec![
        message(2, &server, &[]),
        message(3, &[1, 0, 0, 2, 1, 2], &[]),
        message(4, &psk, &[7; 32]),
        message(5, &[90], &[]),
        message(6, &[4, 3, 0, 2, 1, 2], &[]),
        message(7, &[0, 4, b'h', b'o', b's', b't', 0, 0, 0, 0], &[]),
        message(8, &done, &[7; 64]),
        message(9, &[0, 0, 0, 13, 1, 40, 0, 3, b'w', b'h', b'y'], &[]),
    ]
}

/// The kernel's answers to ACCEPT, to GETFAMILY, to GETPOLICY, an error, and the READY event.
fn netlink() -> Vec<Vec<u8>> {
    let int = |number: u16, value: u32| attribute(number, &value.to_ne_bytes());
    let keys = attribute(7, &[int(1, 5), int(2, 6)].concat());
    let accept =
        [int(1, 7), int(3, 1), int(4, 10_000), int(5, 3), attribute(8, b"server.test\0"), int(9, 77), keys];
    let psk = [int(1, 7), int(3, 2), int(5, 2), int(6, 0x5678), int(6, 0x9abc)];
    let group = attribute(1, &[attribute(1, b"tlshd\0"), int(2, 9)].concat());
    let family = [attribute(1, &31_u16.to_ne_bytes()), attribute(2, b"handshake\0"), attribute(7, &group)];
    let commands = attribute(9, &attribute(3, &int(1, 1)));
    let types = attribute(8, &attribute(1, &attribute(2, &int(1, 8))));
    vec![
        datagram(31, 1, &int(2, 1)),
        [datagram(31, 2, &accept.concat()), datagram(2, 0, &[])].concat(),
        datagram(31, 2, &psk.concat()),
        datagram(16, 1, &family.concat()),
        [datagram(16, 10, &commands), datagram(16, 10, &types), datagram(3, 0, &[])].concat(),
    ]
}

fn attribute(number: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 4).expect("small");
    let mut bytes = [&length.to_ne_bytes()[..], &number.to_ne_bytes(), payload].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn datagram(kind: u16, command: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(attributes.len() + 20).expect("small");
    let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &[command, 1, 0, 0]].concat();
    [&head, attributes].concat()
}

/// One word on each line.
fn arguments() -> Vec<Vec<u8>> {
    [
        "connect --servername server.test --alpn a,b --groups x25519,secp384r1 --keylog k [::1]:443",
        "connect --suites TLS_AES_128_GCM_SHA256,TLS_CHACHA20_POLY1305_SHA256 --ktls --keymatexport x host:1",
        "serve --cert c --key k --psk-identity i --psk 00ff --psk-hash sha384 127.0.0.1:4433",
        "serve --http --accept=3 --require-client-cert --cert=c -- 127.0.0.1:0",
        "verify --host server.test --host 192.0.2.1 --purpose rpc-client --max-intermediates 3 chain",
        "verify --time 2026-01-31T12:00:00Z --crl-required whole-path chain more",
        "serve --help",
        "--version",
    ]
    .map(|line| line.replace(' ', "\n").into_bytes())
    .into()
}
