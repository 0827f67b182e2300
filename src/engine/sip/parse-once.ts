import { Core } from 'sip.js';

/** What was parsed last and is not taken yet. */
let parsed: { readonly text: string; readonly message: ReturnType<typeof Core.Parser.parseMessage> } | undefined;
let isInstalled = false;
const sipJsParse = Core.Parser.parseMessage;

/**
 * SIP.js drops a message that it cannot parse without a word, so the transport parses first, in order to answer. What it parsed is then
 * handed to SIP.js instead of being parsed again.
 */
export function installParseOnce(): void {
  if (isInstalled) return;
  isInstalled = true;
  Core.Parser.parseMessage = (text, logger) => {
    const ready = parsed;
    parsed = undefined;
    return ready?.text === text ? ready.message : sipJsParse(text, logger);
  };
}

/** False for what SIP.js does not understand. Otherwise the same text is the next that it may be given. */
export function parseForSipJs(text: string, logger: Core.Logger): boolean {
  const message = sipJsParse(text, logger);
  parsed = isInstalled && message !== undefined ? { text, message } : undefined;
  return message !== undefined;
}
