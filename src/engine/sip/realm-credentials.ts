import type { SecretBytes } from '../../base/secret-bytes.ts';
import {
  akaAlgorithms,
  isWeaker,
  passwordAlgorithms,
  readChallenges,
  strongest,
  type DigestAlgorithm,
  type DigestChallenge,
} from '../../protocol/digest/digest.ts';
import type { SipAccount } from './types.ts';

/** Who we are to a realm. */
export interface RealmUser {
  readonly username: string;
  /** Undefined for the SIM, whose password comes with each challenge. */
  readonly password: SecretBytes | undefined;
}

/** A challenge that we have credentials for. */
export interface Answerable {
  readonly challenge: DigestChallenge;
  readonly user: RealmUser;
}

/** Which challenges of one answer are to be answered. */
export interface RealmChoice {
  readonly answerable: readonly Answerable[];
  /** Something asked for the account's password, or its SIM, under a weaker algorithm than this registration began with. */
  readonly isDowngrade: boolean;
}

/** What a realm is held to, once it was answered. */
interface Floor {
  readonly algorithm: DigestAlgorithm;
  /** It had a quality of protection: without one nothing of ours is in the answer, and it can be looked up in tables made before. */
  readonly hasQop: boolean;
}

/** Name under which the floor of the account's own credentials is kept; no realm is empty on the wire. */
const own = '';

/**
 * Which realms get which credentials. The account's own go to its home realm only: that of the registrar. Anybody on the way may
 * challenge a request, and an answer is material for guessing the password; so no realm is answered under a weaker hash than the
 * registrar asked for, or without the quality of protection that it had, until the account has unregistered.
 */
export class RealmCredentials {
  readonly #account: SipAccount;
  readonly #algorithms: readonly DigestAlgorithm[];
  /** Of the registrar, once it has been answered in this registration. */
  #homeRealm: string | undefined;
  readonly #floors = new Map<string, Floor>();

  constructor(account: SipAccount) {
    this.#account = account;
    this.#algorithms = account.authentication.mode === 'aka' ? akaAlgorithms : passwordAlgorithms;
  }

  /** The registrar may have another realm this time, for example another server of the network. */
  beginRegistration(): void {
    this.#homeRealm = undefined;
  }

  /** The next registration may begin weaker. */
  endRegistration(): void {
    this.#homeRealm = undefined;
    this.#floors.clear();
  }

  /** For each realm that we have credentials for, the strongest challenge. @param values of one challenge header. */
  choose(values: readonly string[], fromRegistrar: boolean): RealmChoice {
    const prefers = this.#account.digestQop ?? 'auth';
    const answerable: Answerable[] = [];
    let isDowngrade = false;
    const add = (user: RealmUser, floorName: string, challenge: DigestChallenge | undefined): void => {
      const floor = this.#floors.get(floorName);
      if (challenge === undefined) return;
      if (floor !== undefined && isBelow(challenge, floor)) isDowngrade ||= floorName === own;
      else answerable.push({ challenge, user });
    };
    const byPassword = readChallenges(values, { algorithms: passwordAlgorithms, prefers });
    for (const { realm, username, password } of this.#account.credentials ?? []) {
      add({ username, password }, realm, strongest(byPassword.filter((challenge) => challenge.realm === realm)));
    }
    if (this.#account.authentication.mode === 'digest' || fromRegistrar) {
      const offered = readChallenges(values, { algorithms: this.#algorithms, prefers });
      const others = offered.filter(({ realm }) => !this.#hasOwnCredentials(realm));
      const home = this.#home(others, fromRegistrar);
      add(this.#ownUser(), own, strongest(others.filter(({ realm }) => realm === home)));
    }
    return { answerable, isDowngrade };
  }

  /** The challenge is being answered: what comes later must be as strong. */
  answered({ challenge, user }: Answerable, fromRegistrar: boolean): void {
    const isOwn = user.username === this.#account.privateIdentity && !this.#hasOwnCredentials(challenge.realm);
    // Proxies may be stronger than the registrar, whose renewals must still be answered.
    if (isOwn && !fromRegistrar) return;
    if (isOwn) this.#homeRealm = challenge.realm;
    const name = isOwn ? own : challenge.realm;
    const floor = this.#floors.get(name);
    const isRaised = floor === undefined || isWeaker(floor.algorithm, challenge.algorithm);
    this.#floors.set(name, {
      algorithm: isRaised ? challenge.algorithm : floor.algorithm,
      hasQop: floor?.hasQop === true || challenge.qop !== undefined,
    });
  }

  /** For a realm that was answered before. */
  userOf(realm: string): RealmUser {
    return (this.#account.credentials ?? []).find((one) => one.realm === realm) ?? this.#ownUser();
  }

  #hasOwnCredentials(realm: string): boolean {
    return (this.#account.credentials ?? []).some((one) => one.realm === realm);
  }

  #ownUser(): RealmUser {
    const { authentication, privateIdentity } = this.#account;
    return {
      username: privateIdentity,
      password: authentication.mode === 'digest' ? authentication.password : undefined,
    };
  }

  /** The home realm among those that ask; a registrar that was not answered yet may name it. */
  #home(offered: readonly DigestChallenge[], fromRegistrar: boolean): string | undefined {
    const asks = (realm: string): boolean => offered.some((challenge) => challenge.realm === realm);
    if (this.#homeRealm !== undefined) return asks(this.#homeRealm) ? this.#homeRealm : undefined;
    if (asks(this.#account.domain) || !fromRegistrar) return this.#account.domain;
    return offered[0]?.realm;
  }
}

function isBelow({ algorithm, qop }: DigestChallenge, floor: Floor): boolean {
  return isWeaker(algorithm, floor.algorithm) || (floor.hasQop && qop === undefined);
}
