import type { MimeEntity } from '../mime-entity.ts';

/** `From`, `To` and `cc` (RFC 3862 4.1 to 4.3). */
export interface CpimAddress {
  readonly uri: string;
  readonly displayName?: string;
}

/** A header that this codec does not interpret. */
export interface CpimHeader {
  /** URI of the namespace; `cpimNamespaces.core` for names without a prefix. */
  readonly namespace: string;
  readonly name: string;
  /** Between colon and space, for example `lang=fr`. */
  readonly parameters?: string;
  /** Escapes undone. */
  readonly value: string;
}

/** A `message/cpim` body (RFC 3862) with the IMDN headers of RFC 5438. */
export interface CpimMessage {
  readonly from?: CpimAddress;
  readonly to: readonly CpimAddress[];
  /** RFC 3862 4.3; at least one when present, as of the routes. */
  readonly cc?: readonly CpimAddress[];
  /** Milliseconds since 1970. */
  readonly dateTime?: number;
  readonly subject?: string;
  /** `imdn.Message-ID` (RFC 5438 6.3). */
  readonly messageId?: string;
  /** `imdn.Disposition-Notification` (RFC 5438 6.2), for example `positive-delivery`. */
  readonly dispositions: readonly string[];
  /** `imdn.Original-To` (RFC 5438 6.4). */
  readonly originalTo?: CpimAddress;
  /** `imdn.IMDN-Record-Route` (RFC 5438 6.5), as it stands, the top one first. */
  readonly recordRoute?: readonly CpimAddress[];
  /** `imdn.IMDN-Route` (RFC 5438 6.6), the top one first. */
  readonly route?: readonly CpimAddress[];
  readonly otherHeaders: readonly CpimHeader[];
  /** Has at least a Content-Type header. */
  readonly content: MimeEntity;
}

export const cpimNamespaces = {
  core: 'urn:ietf:params:cpim-headers:',
  imdn: 'urn:ietf:params:imdn',
} as const;

export const cpimLimits = { maxOctets: 1024 * 1024, maxHeaders: 64, maxHeaderOctets: 16 * 1024 } as const;
