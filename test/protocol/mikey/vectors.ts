import { readFileSync } from 'node:fs';

import { fromHex } from '../../../src/base/bytes.ts';

export interface VectorIdentity {
  readonly id_type: number;
  readonly data: string;
}

type Trace = Readonly<Record<string, string>>;

export interface Scenario {
  readonly name: string;
  readonly suite: number;
  readonly flags: string;
  readonly inputs: Readonly<Record<string, string>> &
    Readonly<
      Record<'initiator' | 'responder' | 'kms' | 'tpk_id' | 'psk_initiator_id' | 'psk_responder_id', VectorIdentity>
    >;
  readonly messages: Readonly<Record<string, string>>;
  readonly sdp: Readonly<Record<string, string>>;
  readonly trace: Readonly<Record<string, Trace>> & {
    readonly fork?: { readonly keys: readonly string[]; readonly keys_forked: readonly string[] };
  };
  readonly session_keys: readonly {
    readonly cs_id: number;
    readonly spi: string;
    readonly key_type: string;
    readonly tek: string;
    readonly salt: string;
  }[];
  readonly decoded: Readonly<
    Record<
      string,
      {
        readonly hdr: Readonly<Record<string, unknown>>;
        readonly payloads: readonly Readonly<Record<string, unknown>>[];
      }
    >
  >;
}

export interface Vectors {
  readonly unit: {
    readonly prf: readonly { prf: number; inkey: string; label: string; outkey_bits: number; outkey: string }[];
    readonly aes_cm: readonly {
      encr_key: string;
      salt_key: string;
      csb_id: number;
      t: string;
      iv: string;
      plain: string;
      cipher: string;
    }[];
    readonly aes_kw_128: readonly { encr_key: string; salt_key: string; plain: string; cipher: string }[];
    readonly labels: Readonly<Record<string, string>> & { readonly csb_id: number; readonly cs_id: number };
    readonly payloads: readonly { payload: string; hex: string; fields: Readonly<Record<string, unknown>> }[];
    readonly error_messages: readonly { auth_key: string | null; message: string }[];
    readonly rfc3830_psk: Readonly<Record<string, string>> & { readonly csb_id: number };
  };
  readonly scenarios: readonly Scenario[];
}

/** An independent implementation's account of whole exchanges and of every step in them. */
export const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/mikey-ticket.json', import.meta.url), 'utf8'),
) as Vectors;

/** Any hexadecimal string of the vectors; missing ones fail loudly. */
export function hex(text: string | undefined): Uint8Array {
  if (text === undefined) throw new Error('vector lacks this value');
  return fromHex(text);
}
