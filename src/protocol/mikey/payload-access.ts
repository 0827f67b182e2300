import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { extensionType, idType, mikeyError } from './code-points.ts';
import type { MikeyIdentity } from './identity.ts';
import type { GeneralExtensionPayload, IdRolePayload, Payload, PayloadName, PayloadOf } from './payloads.ts';

const identityTypes = ['nai', 'uri', 'bytes'] as const;

/** The one payload of its kind, or `undefined`. Two would be ambiguous and are refused. */
export function optionalPayload<Name extends PayloadName>(
  payloads: readonly Payload[],
  name: Name,
  matches: (payload: PayloadOf<Name>) => boolean = () => true,
): PayloadOf<Name> | undefined {
  const found = payloads.filter(
    (payload): payload is PayloadOf<Name> => payload.payload === name && matches(payload as PayloadOf<Name>),
  );
  if (found.length > 1) throw misshapen(name, 'stands twice');
  return found[0];
}

/** @throws ProtocolError `malformed` unless the payload stands there exactly once. */
export function requiredPayload<Name extends PayloadName>(
  payloads: readonly Payload[],
  name: Name,
  matches?: (payload: PayloadOf<Name>) => boolean,
): PayloadOf<Name> {
  const found = optionalPayload(payloads, name, matches);
  if (found === undefined) throw misshapen(name, 'missing');
  return found;
}

function misshapen(name: string, problem: string): ProtocolError {
  return new ProtocolError('malformed', problem, {
    field: `mikey.${name}`,
    expected: 'exactly one',
    hint: { mikey: mikeyError.unparseable },
  });
}

export function identityPayload(role: number, identity: MikeyIdentity): IdRolePayload {
  return { payload: 'IDR', role, idType: idType[identity.type], data: identity.data };
}

/** @throws ProtocolError `unsupported` for an ID type other than NAI, URI and byte string. */
function identityOfPayload({ idType: type, data }: IdRolePayload): MikeyIdentity {
  const name = identityTypes[type];
  if (name === undefined) {
    throw new ProtocolError('unsupported', `ID type ${type}`, {
      field: 'mikey.IDR.type',
      hint: { mikey: mikeyError.invalidIdentity },
    });
  }
  return { type: name, data };
}

/** The identity that stands in a role, if any. */
export function identityInRole(payloads: readonly Payload[], role: number): MikeyIdentity | undefined {
  const found = optionalPayload(payloads, 'IDR', (payload) => payload.role === role);
  return found === undefined ? undefined : identityOfPayload(found);
}

export function identitiesInRole(payloads: readonly Payload[], role: number): readonly MikeyIdentity[] {
  return payloads.flatMap((payload) =>
    payload.payload === 'IDR' && payload.role === role ? [identityOfPayload(payload)] : [],
  );
}

/** RFC 6043 12.1 wants random values at least as long as the keys; every key has 128 bits or more. */
const minRandOctets = 16;

/** @throws ProtocolError `malformed` when a random value is too short to make keys differ. */
export function randInRole(payloads: readonly Payload[], role: number): Uint8Array | undefined {
  const found = optionalPayload(payloads, 'RANDR', (payload) => payload.role === role);
  if (found !== undefined && found.value.length < minRandOctets) {
    throw new ProtocolError('malformed', `${found.value.length} octets`, {
      field: 'mikey.RANDR.value',
      expected: `at least ${minRandOctets} octets`,
      hint: { mikey: mikeyError.unspecified },
    });
  }
  return found?.value;
}

export function requiredRand(payloads: readonly Payload[], role: number): Uint8Array {
  const value = randInRole(payloads, role);
  if (value === undefined) throw misshapen('RANDR', 'missing');
  return value;
}

/** The SDP IDs extension (RFC 4567 7). Reading [A30]: it may stand anywhere; ours stands just before V. */
export function sdpIdsOf(payloads: readonly Payload[]): string | undefined {
  const found = optionalPayload(payloads, 'EXTENSION', (payload) => payload.extensionType === extensionType.sdpIds);
  return found === undefined ? undefined : fromUtf8(found.data, 'mikey.extension.sdpIds');
}

export function sdpIdsExtension(ids: string): GeneralExtensionPayload {
  return { payload: 'EXTENSION', extensionType: extensionType.sdpIds, data: utf8(ids) };
}
