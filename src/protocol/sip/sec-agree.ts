import { ProtocolError } from '../../base/errors.ts';
import { splitHeaderList, splitOutsideQuotes } from './headers.ts';

/** One entry of Security-Client, Security-Server or Security-Verify (RFC 3329 clause 2.2, TS 24.229 clause 7.2A.7). */
export interface SecurityMechanism {
  /** Lower case: `tls`, `ipsec-3gpp`, `msrp-tls`, ... */
  readonly name: string;
  /** Names in lower case, in order; a bare parameter has no value. */
  readonly parameters: readonly { readonly name: string; readonly value: string | undefined }[];
  /** As it was written, for the exact echo in Security-Verify. */
  readonly text: string;
}

const maxEntries = 32;
const token = /^[-.!%*_+`'~A-Za-z0-9]+$/;

/**
 * Reads the values of all header fields of one name; each may hold several entries joined by commas.
 * Unknown mechanisms and parameters are kept, not judged.
 * @throws ProtocolError `malformed`, hint SIP 400.
 */
export function readSecurityMechanisms(headerValues: readonly string[], field = 'sip.security'): SecurityMechanism[] {
  const texts = headerValues.flatMap(splitHeaderList);
  if (texts.length > maxEntries) fail(field, 'too many entries', `at most ${maxEntries}`);
  return texts.map((text) => readEntry(text, field));
}

export function formatSecurityMechanism({ name, parameters }: Omit<SecurityMechanism, 'text'>): string {
  const parts = parameters.map((part) => (part.value === undefined ? part.name : `${part.name}=${part.value}`));
  return [name, ...parts].join(';');
}

/** True for an entry that `mediasec` labels as a matter of the media plane (TS 24.229 clause 7.2A.7). */
export function isMediaMechanism(mechanism: SecurityMechanism): boolean {
  return mechanism.parameters.some(({ name }) => name === 'mediasec');
}

/** Preference 0 to 1; an entry without q stands below all that have one. */
export function preference(mechanism: SecurityMechanism): number {
  const value = Number(mechanism.parameters.find(({ name }) => name === 'q')?.value);
  return value >= 0 && value <= 1 ? value : -1;
}

/** What client and server have in common. */
export interface AgreedSecurity {
  /** Name of the signalling mechanism with the server's highest preference that the client knows. */
  readonly signalling: string | undefined;
  /** Names of media mechanisms announced by both; each may be used per media stream. */
  readonly media: readonly string[];
}

/** RFC 3329 clause 2.3.1: the server's preference decides among the mechanisms known to the client. */
export function agreeSecurity(
  client: readonly SecurityMechanism[],
  server: readonly SecurityMechanism[],
): AgreedSecurity {
  const common = server.filter((offered) =>
    client.some((own) => own.name === offered.name && isMediaMechanism(own) === isMediaMechanism(offered)),
  );
  const signalling = common
    .filter((mechanism) => !isMediaMechanism(mechanism))
    .sort((a, b) => preference(b) - preference(a))[0];
  return { signalling: signalling?.name, media: common.filter(isMediaMechanism).map(({ name }) => name) };
}

/** True when both lists hold the same mechanisms with the same parameters in the same order (RFC 3329 clause 2.3.1). */
export function sameMechanisms(a: readonly SecurityMechanism[], b: readonly SecurityMechanism[]): boolean {
  return a.length === b.length && a.every((entry, index) => comparable(entry) === comparable(b[index]));
}

function comparable(mechanism: SecurityMechanism | undefined): string | undefined {
  if (mechanism === undefined) return undefined;
  const parameters = mechanism.parameters.map(({ name, value }) => [name, value?.toLowerCase()]);
  return JSON.stringify([mechanism.name, parameters.sort()]);
}

function readEntry(text: string, field: string): SecurityMechanism {
  const [name, ...rest] = splitOutsideQuotes(text, ';');
  if (name === undefined || !token.test(name)) fail(field, 'not a mechanism', 'a mechanism name');
  const parameters = rest.map((part) => {
    const equals = part.indexOf('=');
    const parameter = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (!token.test(parameter)) fail(field, 'not a parameter', 'name or name=value');
    return { name: parameter, value: equals < 0 ? undefined : part.slice(equals + 1).trim() };
  });
  return { name: name.toLowerCase(), parameters, text };
}

function fail(field: string, problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field, expected, hint: { sip: 400 } });
}
