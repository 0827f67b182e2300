/** Code points of the IANA registry "MIKEY Payload Name Spaces" that this implementation knows. */

export const dataType = {
  error: 6,
  requestInitPsk: 11,
  requestInitPk: 12,
  requestResp: 13,
  transferInit: 14,
  transferResp: 15,
  resolveInitPsk: 16,
  resolveInitPk: 17,
  resolveResp: 18,
} as const;

export const csIdMapType = { srtpId: 0, empty: 1, genericId: 2 } as const;

export const prfFunction = { mikey1: 0, hmacSha256: 1 } as const;

export const encryption = { null: 0, aesCm128: 1, aesKw128: 2, aesCm256: 3 } as const;

export const macAlgorithm = { null: 0, hmacSha1: 1, hmacSha256: 2 } as const;

export const timestampType = { ntpUtc: 0, ntp: 1, counter: 2, ntpUtc32: 3 } as const;

export const timestampRole = { issue: 1, start: 2, end: 3, rekeying: 4 } as const;

export const idType = { nai: 0, uri: 1, bytes: 2 } as const;

export const idRole = { initiator: 1, responder: 2, kms: 3, psk: 4, application: 5 } as const;

export const randRole = { initiator: 1, responder: 2, kms: 3 } as const;

export const keyType = { tgk: 0, tgkSalt: 1, tek: 2, tekSalt: 3, gtgk: 4, gtgkSalt: 5, mpk: 6 } as const;

export const certificateType = { x509: 0, x509Url: 1, x509Sign: 2, x509Encryption: 3 } as const;

export const hashFunction = { sha1: 0, md5: 1, sha256: 2 } as const;

export const signatureType = { rsaPkcs1: 0, rsaPss: 1 } as const;

export const envelopeCache = { none: 0, cache: 1, cacheForCsb: 2 } as const;

export const extensionType = { sdpIds: 1 } as const;

/** Error numbers of RFC 3830 6.12, RFC 4738 and RFC 6043 6.9. */
export const mikeyError = {
  authenticationFailure: 0,
  invalidTimestamp: 1,
  invalidPrf: 2,
  invalidMac: 3,
  invalidEncryption: 4,
  invalidHash: 5,
  invalidDiffieHellman: 6,
  invalidIdentity: 7,
  invalidCertificate: 8,
  invalidSecurityPolicy: 9,
  invalidPolicyParameter: 10,
  invalidDataType: 11,
  unspecified: 12,
  unparseable: 13,
  invalidTicket: 14,
  invalidTicketPolicy: 15,
} as const;

const errorTexts: Readonly<Record<number, string>> = {
  0: 'Authentication failure',
  1: 'Invalid timestamp',
  2: 'PRF function not supported',
  3: 'MAC algorithm not supported',
  4: 'Encryption algorithm not supported',
  5: 'Hash function not supported',
  6: 'Diffie-Hellman group not supported',
  7: 'Identity not supported',
  8: 'Certificate not supported',
  9: 'Security policy type not supported',
  10: 'Security policy parameter not supported',
  11: 'Data type not supported',
  12: 'Unspecified error',
  13: 'Message type not supported or message not understood',
  14: 'Ticket not accepted',
  15: 'Ticket policy parameter not supported',
};

/** What an error number means, in words. */
export function mikeyErrorText(errorNumber: number): string {
  return errorTexts[errorNumber] ?? `Error ${errorNumber}`;
}

const dataTypeNames: Readonly<Record<number, string>> = {
  6: 'ERROR',
  11: 'REQUEST_INIT_PSK',
  12: 'REQUEST_INIT_PK',
  13: 'REQUEST_RESP',
  14: 'TRANSFER_INIT',
  15: 'TRANSFER_RESP',
  16: 'RESOLVE_INIT_PSK',
  17: 'RESOLVE_INIT_PK',
  18: 'RESOLVE_RESP',
};

/** The message's name in RFC 6043. */
export function dataTypeName(type: number): string {
  return dataTypeNames[type] ?? `DATA_TYPE_${type}`;
}
