import { UserAgent, type Core, type Session, type URI, type UserAgentDelegate } from 'sip.js';
import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { limits } from '../limits.ts';
import type { MsrpSessionDescriptionHandler } from './msrp-session-description-handler.ts';
import { installParseOnce } from './parse-once.ts';
import { installQuickGrammar } from './quick-grammar.ts';
import { SipJsTransport, type SipJsTransportOptions } from './sipjs-transport.ts';
import { hideTelUri } from './tel-uri.ts';
import type { SipAccount } from './types.ts';
import { localHost } from './wire-translation.ts';

export interface SipJsOptions {
  readonly account: SipAccount;
  readonly random: Random;
  /** User part of our Contact. */
  readonly contactUser: string;
  readonly transport: Omit<SipJsTransportOptions, 'isFull'>;
  readonly handlers: WeakMap<Session, MsrpSessionDescriptionHandler>;
  readonly createAuthentication: (loggerFactory: Core.LoggerFactory) => Core.DigestAuthentication;
  readonly delegate: UserAgentDelegate;
}

export interface SipJs {
  readonly userAgent: UserAgent;
  readonly transport: SipJsTransport;
  readonly core: Core.UserAgentCore;
}

/** A SIP.js user agent over our transport, with our digest, silent, and without its own reconnection and registration. */
export function createSipJs(options: SipJsOptions): SipJs {
  const { account, contactUser, handlers } = options;
  installQuickGrammar();
  installParseOnce();
  const isFull = (): boolean => userAgent.userAgentCore.userAgentServers.size >= limits.sipOpenRequests;
  const userAgent: UserAgent = new UserAgent({
    uri: toUri(account.identity, 'sip.identity'),
    // It writes the name between quotes without escaping.
    displayName: (account.displayName ?? '').replace(/["\\\p{Cc}]/gu, ''),
    contactName: contactUser,
    contactParams: { transport: account.target.protocol ?? 'tls' },
    viaHost: localHost,
    forceRport: true,
    // Its graceful shutdown waits for every answer in turn; `SipUserAgent.stop` has a deadline.
    gracefulShutdown: false,
    logBuiltinEnabled: false,
    logConfiguration: false,
    userAgentString: 'Tessera',
    transportConstructor: SipJsTransport,
    transportOptions: { ...options.transport, isFull } satisfies SipJsTransportOptions,
    sessionDescriptionHandlerFactory: (session) => {
      const handler = handlers.get(session);
      if (handler === undefined) throw new Error('a session without description handler');
      return handler;
    },
    delegate: options.delegate,
  });
  const core = userAgent.userAgentCore;
  core.configuration.supportedOptionTags = ['path', 'sec-agree', 'outbound', 'gruu'];
  core.configuration.supportedOptionTagsResponse = [];
  core.configuration.authenticationFactory = () => options.createAuthentication(core.loggerFactory);
  const { transport } = userAgent;
  if (!(transport instanceof SipJsTransport)) throw new Error('SIP.js took another transport');
  return { userAgent, core, transport };
}

/** @throws ProtocolError `local`, hint SIP 416, for what is no sip, sips or tel URI. */
export function toUri(text: string, field: string): URI {
  const uri = /^(sips?|tel):/i.test(text) && !/[\s<>"]/.test(text) ? UserAgent.makeURI(hideTelUri(text)) : undefined;
  if (uri === undefined) {
    throw new ProtocolError('local', 'not an address', { field, expected: 'a sip or tel URI', hint: { sip: 416 } });
  }
  return uri;
}
