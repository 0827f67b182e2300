/**
 * Every name of the IANA registry "MIKEY Payload Name Spaces" (last updated 2019-02-15) that an inspected message may use.
 * The codec knows fewer: it acts on what it knows, this table only tells people.
 */
interface NameSpace {
  readonly names: Readonly<Record<number, string>>;
  /** First and last value for private use; 241 to 255 unless said otherwise. */
  readonly private?: readonly [number, number];
}

const spaces = {
  dataType: {
    names: {
      0: 'Pre-shared',
      1: 'PSK ver msg',
      2: 'Public key',
      3: 'PK ver msg',
      4: 'D-H init',
      5: 'D-H resp',
      6: 'Error',
      7: 'DHHMAC init',
      8: 'DHHMAC resp',
      9: 'RSA-R I_MSG',
      10: 'RSA-R R_MSG',
      11: 'REQUEST_INIT_PSK',
      12: 'REQUEST_INIT_PK',
      13: 'REQUEST_RESP',
      14: 'TRANSFER_INIT',
      15: 'TRANSFER_RESP',
      16: 'RESOLVE_INIT_PSK',
      17: 'RESOLVE_INIT_PK',
      18: 'RESOLVE_RESP',
      19: 'REQUEST_KEY_PSK',
      20: 'REQUEST_KEY_PKE',
      21: 'REQUEST_KEY_RESP',
      22: 'I_MESSAGE_1',
      23: 'R_MESSAGE_1',
      24: 'I_MESSAGE_2',
      25: 'R_MESSAGE_2',
      26: 'SAKKE msg',
    },
  },
  nextPayload: {
    names: {
      0: 'Last payload',
      1: 'KEMAC',
      2: 'PKE',
      3: 'DH',
      4: 'SIGN',
      5: 'T',
      6: 'ID',
      7: 'CERT',
      8: 'CHASH',
      9: 'V',
      10: 'SP',
      11: 'RAND',
      12: 'ERR',
      13: 'TR',
      14: 'IDR',
      15: 'RANDR',
      16: 'TP',
      17: 'TICKET',
      20: 'Key data',
      21: 'General Ext.',
      22: 'IBAKE',
      23: 'ESK',
      24: 'SK',
      25: 'ECCPT',
      26: 'SAKKE',
    },
  },
  prf: { names: { 0: 'MIKEY-1', 1: 'PRF-HMAC-SHA-256' }, private: [112, 127] },
  mapType: { names: { 0: 'SRTP-ID', 1: 'Empty map', 2: 'GENERIC-ID' } },
  encryption: { names: { 0: 'NULL', 1: 'AES-CM-128', 2: 'AES-KW-128', 3: 'AES-CM-256' } },
  mac: { names: { 0: 'NULL', 1: 'HMAC-SHA-1-160', 2: 'HMAC-SHA-256-256' } },
  envelopeCache: { names: { 0: 'No cache', 1: 'Cache', 2: 'Cache for CSB' } },
  diffieHellmanGroup: { names: { 0: 'OAKLEY 5', 1: 'OAKLEY 1', 2: 'OAKLEY 2' } },
  signatureType: { names: { 0: 'RSA/PKCS#1/1.5', 1: 'RSA/PSS', 2: 'ECCSI' } },
  timestampType: { names: { 0: 'NTP-UTC', 1: 'NTP', 2: 'COUNTER', 3: 'NTP-UTC-32' } },
  idType: { names: { 0: 'NAI', 1: 'URI', 2: 'Byte string' } },
  certificateType: { names: { 0: 'X.509v3', 1: 'X.509v3 URL', 2: 'X.509v3 Sign', 3: 'X.509v3 Encr' } },
  hash: { names: { 0: 'SHA-1', 1: 'MD5', 2: 'SHA-256' } },
  protType: { names: { 0: 'SRTP', 1: 'TESLA' } },
  srtpParameter: {
    names: {
      0: 'Encryption algorithm',
      1: 'Session Encr. key length',
      2: 'Authentication algorithm',
      3: 'Session Auth. key length',
      4: 'Session Salt key length',
      5: 'SRTP Pseudo Random Function',
      6: 'Key derivation rate',
      7: 'SRTP encryption off/on',
      8: 'SRTCP encryption off/on',
      9: "sender's FEC order",
      10: 'SRTP authentication off/on',
      11: 'Authentication tag length',
      12: 'SRTP prefix length',
      13: 'ROC transmission rate',
      14: 'SRTP Auth. algorithm',
      15: 'SRTCP Auth. algorithm',
      16: 'SRTP Session Auth. key len',
      17: 'SRTCP Session Auth. key len',
      18: 'SRTP Authentication tag len',
      19: 'SRTCP Authentication tag len',
      20: 'AEAD authentication tag length',
    },
  },
  srtpEncryption: {
    names: {
      0: 'NULL',
      1: 'AES-CM',
      2: 'AES-F8',
      3: 'SEED-CTR',
      4: 'SEED-CCM',
      5: 'SEED-GCM',
      6: 'AES-GCM',
      7: 'ARIA-CTR',
      8: 'ARIA-GCM',
    },
  },
  srtpAuthentication: { names: { 0: 'NULL', 1: 'HMAC-SHA-1', 2: 'RCCm1', 3: 'RCCm2', 4: 'RCCm3' } },
  srtpPrf: { names: { 0: 'AES-CM', 1: 'SEED-CTR', 2: 'ARIA-CTR' } },
  srtpFecOrder: { names: { 0: 'FEC-SRTP' } },
  error: {
    names: {
      0: 'Auth failure',
      1: 'Invalid TS',
      2: 'Invalid PRF',
      3: 'Invalid MAC',
      4: 'Invalid EA',
      5: 'Invalid HA',
      6: 'Invalid DH',
      7: 'Invalid ID',
      8: 'Invalid Cert',
      9: 'Invalid SP',
      10: 'Invalid SPpar',
      11: 'Invalid DT',
      12: 'Unspecified error',
      13: 'Unsupported message type',
      14: 'Invalid TICKET',
      15: 'Invalid TPpar',
    },
  },
  keyType: {
    names: { 0: 'TGK', 1: 'TGK+SALT', 2: 'TEK', 3: 'TEK+SALT', 4: 'GTGK', 5: 'GTGK+SALT', 6: 'MPK', 7: 'K_PR' },
  },
  keyValidity: { names: { 0: 'Null', 1: 'SPI', 2: 'Interval' } },
  extension: {
    names: {
      0: 'Vendor ID',
      1: 'SDP IDs',
      2: 'TESLA I-Key',
      3: 'Key ID',
      4: 'CSB_ID',
      5: 'OMA BCAST',
      6: 'SAKKE-to-self',
      7: '3GPP key parameters',
    },
  },
  keyIdType: { names: { 0: 'MBMS Key Domain ID', 1: 'MBMS Service Key ID', 2: 'MBMS Transport Key ID' } },
  timestampRole: {
    names: {
      1: 'Time of issue (TRi)',
      2: 'Start of validity period (TRs)',
      3: 'End of validity period (TRe)',
      4: 'Rekeying interval (TRr)',
    },
    private: [240, 254],
  },
  idRole: {
    names: {
      1: 'Initiator (IDRi)',
      2: 'Responder (IDRr)',
      3: 'KMS (IDRkms)',
      4: 'Pre-Shared Key (IDRpsk)',
      5: 'Application (IDRapp)',
      6: "Initiator's KMS (IDRkmsi)",
      7: "Responder's KMS (IDRkmsr)",
      8: 'Hashed Initiator (IDRuidi)',
      9: 'Hashed Responder (IDRuidr)',
    },
    private: [240, 254],
  },
  randRole: {
    names: { 1: 'Initiator (RANDRi)', 2: 'Responder (RANDRr)', 3: 'KMS (RANDRkms)' },
    private: [240, 254],
  },
  ticketType: { names: { 1: 'MIKEY base ticket', 2: '3GPP base ticket' }, private: [61440, 65534] },
} as const satisfies Readonly<Record<string, NameSpace>>;

export type CodePointSpace = keyof typeof spaces;

/** The registry's name for a value; "private use" or "unassigned" where it has none. */
export function codePointName(space: CodePointSpace, value: number): string {
  const { names, private: range = [241, 255] }: NameSpace = spaces[space];
  const name = names[value];
  if (name !== undefined) return name;
  return value >= range[0] && value <= range[1] ? 'private use' : 'unassigned';
}

/** For `TreeReader`: the name of the value that was read. */
export const named =
  (space: CodePointSpace) =>
  (value: number): string =>
    codePointName(space, value);
