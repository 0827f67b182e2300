/** Steps of a SIPp scenario as text. SIPp's own names stand in square brackets, `[last_Via:]`. */

export interface StepOptions {
  /** Label at which it goes on. */
  readonly next?: string;
  /** `next` counts only where this variable is set. */
  readonly test?: string;
}

export interface ReceiveOptions extends StepOptions {
  /** Something else may come, which a later step takes. */
  readonly optional?: boolean;
  readonly actions?: readonly string[];
  /** It goes on at `label` when nothing has come for so long, which must not be the last step. */
  readonly within?: { readonly milliseconds: number; readonly label: string };
}

export interface RespondOptions extends StepOptions {
  readonly headers?: readonly string[];
  /** It never leaves. */
  readonly lost?: boolean;
}

/** @param globals variables that all calls share */
export function scenario(steps: readonly string[], globals: readonly string[] = []): string {
  const shared = globals.length === 0 ? '' : `<Global variables="${globals.join(',')}"/>\n`;
  return `<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="server">\n${shared}${steps.join('\n')}\n</scenario>\n`;
}

export function receive(method: string, { optional, actions = [], within, ...step }: ReceiveOptions = {}): string {
  const may = optional === true ? ' optional="true"' : '';
  const until = within === undefined ? '' : ` timeout="${within.milliseconds}" ontimeout="${within.label}"`;
  return `<recv request="${method}"${may}${until}${goOn(step)}>${acting(actions)}</recv>`;
}

export function receiveResponse(
  status: number,
  { optional, actions = [], ...step }: Omit<ReceiveOptions, 'within'> = {},
): string {
  const may = optional === true ? ' optional="true"' : '';
  return `<recv response="${status}"${may}${goOn(step)}>${acting(actions)}</recv>`;
}

/** To the request that came last. */
export function respond(status: number, reason: string, options: RespondOptions = {}): string {
  const { headers = [], lost, ...step } = options;
  const lines = [
    `SIP/2.0 ${status} ${reason}`,
    ...['[last_Via:]', '[last_From:]', '[last_To:];tag=sipp[call_number]', '[last_Call-ID:]', '[last_CSeq:]'],
    ...headers,
    'Content-Length: 0',
  ];
  return send(`${lines.join('\n')}\n\n`, { ...(lost === undefined ? {} : { lost }), ...step });
}

export function send(text: string, { lost, ...step }: StepOptions & { readonly lost?: boolean } = {}): string {
  return `<send${lost === true ? ' lost="100"' : ''}${goOn(step)}><![CDATA[\n\n${text}]]></send>`;
}

export const label = (name: string): string => `<label id="${name}"/>`;
export const act = (actions: readonly string[], step: StepOptions = {}): string =>
  `<nop${goOn(step)}>${acting(actions)}</nop>`;

/** Writes a line to the log. */
export const log = (text: string): string => `<log message="${text}"/>`;

/** Counts this in a variable that all calls share; `is` becomes set when it is the first time. */
export function countFirst(counter: string, is: string): readonly string[] {
  return [
    `<add assign_to="${counter}" value="1"/>`,
    `<test assign_to="${is}" variable="${counter}" compare="equal" value="1"/>`,
  ];
}

/** The call fails where the header does not hold the expression. */
export function demand(name: string, expression: string, variable: string): readonly string[] {
  return [
    `<ereg regexp="${expression}" search_in="hdr" header="${name}:" check_it="true" assign_to="${variable}"/>`,
    log(`${name} holds [$${variable}]`),
  ];
}

/** The call fails where the credentials of the request are not those of the password. */
export function demandPassword(username: string, password: string, variable: string): readonly string[] {
  return [
    `<verifyauth assign_to="${variable}" username="${username}" password="${password}"/>`,
    log(`credentials of ${username}: [$${variable}]`),
  ];
}

/** The registrar's yes to the contact that asks, for as long as it asks. */
export function grant(headers: readonly string[] = [], step: StepOptions = {}): string {
  return respond(200, 'OK', { headers: ['[last_Contact:]', ...headers], ...step });
}

export function challenge(
  name: 'WWW-Authenticate' | 'Proxy-Authenticate',
  { realm, nonce, algorithm = 'SHA-256', stale = false }: ChallengeOptions,
): string {
  const old = stale ? ', stale=true' : '';
  return `${name}: Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${old}`;
}

export interface ChallengeOptions {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm?: 'MD5' | 'SHA-256';
  readonly stale?: boolean;
}

const acting = (actions: readonly string[]): string =>
  actions.length === 0 ? '' : `<action>\n${actions.join('\n')}\n</action>`;

const goOn = ({ next, test }: StepOptions): string =>
  `${next === undefined ? '' : ` next="${next}"`}${test === undefined ? '' : ` test="${test}"`}`;
