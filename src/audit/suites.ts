/**
 * The cipher suites that a server may be asked for, and what each is worth.
 *
 * From IANA's "TLS Cipher Suites" registry; not those that need a password or a ticket beforehand (PSK, SRP, KRB5), which
 * no web server can be met with. A row is a cipher, a column a key exchange; rows stand in the order in which a careful
 * client prefers them, for that is the order of our offers.
 */

export interface Suite {
  readonly code: number;
  /** IANA's, without TLS_. */
  readonly name: string;
  /** The key is agreed upon anew for each connection: ECDHE and DHE. TLS 1.3 knows nothing else. */
  readonly forwardSecrecy: boolean;
  readonly keyExchange: 'ECDHE' | 'DHE' | 'other';
  /** Anybody can sit in the middle of what is not. */
  readonly authenticated: boolean;
  /** Strength of the cipher; 0: none at all. */
  readonly bits: number;
  readonly aead: boolean;
  readonly exportGrade: boolean;
  readonly rc4: boolean;
  /** Its block has 64 bits, which is what the attack "Sweet32" needs. */
  readonly smallBlock: boolean;
  /** The first protocol version that has it. */
  readonly since: 'SSLv3' | 'TLSv1.2' | 'TLSv1.3';
}

const TABLE = `
                         ECDHE_ECDSA ECDHE_RSA DHE_RSA DHE_DSS RSA ECDH_ECDSA ECDH_RSA DH_RSA DH_DSS ECDH_anon DH_anon
AES_256_GCM_SHA384       c02c c030 009f 00a3 009d c02e c032 00a1 00a5 ---- 00a7
AES_128_GCM_SHA256       c02b c02f 009e 00a2 009c c02d c031 00a0 00a4 ---- 00a6
CHACHA20_POLY1305_SHA256 cca9 cca8 ccaa ---- ---- ---- ---- ---- ---- ---- ----
ARIA_256_GCM_SHA384      c05d c061 c053 c057 c051 c05f c063 c055 c059 ---- c05b
ARIA_128_GCM_SHA256      c05c c060 c052 c056 c050 c05e c062 c054 c058 ---- c05a
CAMELLIA_256_GCM_SHA384  c087 c08b c07d c081 c07b c089 c08d c07f c083 ---- c085
CAMELLIA_128_GCM_SHA256  c086 c08a c07c c080 c07a c088 c08c c07e c082 ---- c084
AES_256_CCM              c0ad ---- c09f ---- c09d ---- ---- ---- ---- ---- ----
AES_256_CCM_8            c0af ---- c0a3 ---- c0a1 ---- ---- ---- ---- ---- ----
AES_128_CCM              c0ac ---- c09e ---- c09c ---- ---- ---- ---- ---- ----
AES_128_CCM_8            c0ae ---- c0a2 ---- c0a0 ---- ---- ---- ---- ---- ----
AES_256_CBC_SHA384       c024 c028 ---- ---- ---- c026 c02a ---- ---- ---- ----
AES_256_CBC_SHA256       ---- ---- 006b 006a 003d ---- ---- 0069 0068 ---- 006d
AES_256_CBC_SHA          c00a c014 0039 0038 0035 c005 c00f 0037 0036 c019 003a
AES_128_CBC_SHA256       c023 c027 0067 0040 003c c025 c029 003f 003e ---- 006c
AES_128_CBC_SHA          c009 c013 0033 0032 002f c004 c00e 0031 0030 c018 0034
CAMELLIA_256_CBC_SHA384  c073 c077 ---- ---- ---- c075 c079 ---- ---- ---- ----
CAMELLIA_256_CBC_SHA256  ---- ---- 00c4 00c3 00c0 ---- ---- 00c2 00c1 ---- 00c5
CAMELLIA_256_CBC_SHA     ---- ---- 0088 0087 0084 ---- ---- 0086 0085 ---- 0089
CAMELLIA_128_CBC_SHA256  c072 c076 00be 00bd 00ba c074 c078 00bc 00bb ---- 00bf
CAMELLIA_128_CBC_SHA     ---- ---- 0045 0044 0041 ---- ---- 0043 0042 ---- 0046
ARIA_256_CBC_SHA384      c049 c04d c045 c043 c03d c04b c04f c041 c03f ---- c047
ARIA_128_CBC_SHA256      c048 c04c c044 c042 c03c c04a c04e c040 c03e ---- c046
SEED_CBC_SHA             ---- ---- 009a 0099 0096 ---- ---- 0098 0097 ---- 009b
IDEA_CBC_SHA             ---- ---- ---- ---- 0007 ---- ---- ---- ---- ---- ----
3DES_EDE_CBC_SHA         c008 c012 0016 0013 000a c003 c00d 0010 000d c017 001b
RC4_128_SHA              c007 c011 ---- 0066 0005 c002 c00c ---- ---- c016 ----
RC4_128_MD5              ---- ---- ---- ---- 0004 ---- ---- ---- ---- ---- 0018
DES_CBC_SHA              ---- ---- 0015 0012 0009 ---- ---- 000f 000c ---- 001a
NULL_SHA256              ---- ---- ---- ---- 003b ---- ---- ---- ---- ---- ----
NULL_SHA                 c006 c010 ---- ---- 0002 c001 c00b ---- ---- c015 ----
NULL_MD5                 ---- ---- ---- ---- 0001 ---- ---- ---- ---- ---- ----
`;

const MODERN = '1302 AES_256_GCM_SHA384 1301 AES_128_GCM_SHA256 1303 CHACHA20_POLY1305_SHA256 1304 AES_128_CCM_SHA256';

const EXPORT = `
0014 DHE_RSA_EXPORT_WITH_DES40_CBC_SHA  0011 DHE_DSS_EXPORT_WITH_DES40_CBC_SHA  0019 DH_anon_EXPORT_WITH_DES40_CBC_SHA
0008 RSA_EXPORT_WITH_DES40_CBC_SHA      0006 RSA_EXPORT_WITH_RC2_CBC_40_MD5     000b DH_DSS_EXPORT_WITH_DES40_CBC_SHA
000e DH_RSA_EXPORT_WITH_DES40_CBC_SHA   0017 DH_anon_EXPORT_WITH_RC4_40_MD5     0003 RSA_EXPORT_WITH_RC4_40_MD5
`;

export const SUITES: readonly Suite[] = [
  ...pairs(`${MODERN} 1305 AES_128_CCM_8_SHA256`).map(([code, name]) => suite(code, name, 'TLSv1.3')),
  ...table(),
  ...pairs(EXPORT).map(([code, name]) => suite(code, name, 'SSLv3')),
];

const BY_CODE = new Map(SUITES.map((one) => [one.code, one]));

export function suiteOf(code: number): Suite | undefined {
  return BY_CODE.get(code);
}

function table(): readonly Suite[] {
  const [head = '', ...rows] = TABLE.trim().split('\n');
  const keyExchanges = head.trim().split(/\s+/);
  return rows.flatMap((row) => {
    const [cipher = '', ...codes] = row.split(/\s+/);
    const since = /GCM|CCM|POLY1305|SHA256|SHA384/.test(cipher) ? 'TLSv1.2' : 'SSLv3';
    return codes.flatMap((code, column) =>
      code === '----' ? [] : [suite(code, `${keyExchanges[column]}_WITH_${cipher}`, since)],
    );
  });
}

function pairs(text: string): readonly (readonly [string, string])[] {
  return [...text.matchAll(/([0-9a-f]{4}) (\S+)/g)].map(([, code = '', name = '']) => [code, name] as const);
}

function suite(code: string, name: string, since: Suite['since']): Suite {
  const modern = since === 'TLSv1.3';
  const keyExchange =
    modern || /^ECDHE_|^ECDH_anon/.test(name) ? 'ECDHE' : /^DHE_|^DH_anon/.test(name) ? 'DHE' : 'other';
  return {
    code: Number.parseInt(code, 16),
    name,
    keyExchange,
    forwardSecrecy: keyExchange !== 'other',
    authenticated: !name.includes('_anon'),
    bits: bitsOf(name),
    aead: /GCM|CCM|POLY1305/.test(name),
    exportGrade: name.includes('_EXPORT'),
    rc4: name.includes('RC4'),
    smallBlock: /DES|RC2|IDEA/.test(name),
    since,
  };
}

/** 3DES has 168 bits and is worth 112 (NIST SP 800-57, part 1, table 2). */
function bitsOf(name: string): number {
  if (name.includes('NULL')) return 0;
  if (/EXPORT/.test(name)) return 40;
  if (/3DES/.test(name)) return 112;
  if (/DES_CBC/.test(name)) return 56;
  return /256_(GCM|CCM|CBC)|CHACHA20/.test(name) ? 256 : 128;
}
