import type { Unsubscribe } from '../../base/events.ts';
import type {
  AccountView,
  BridgeErrorCode,
  CallName,
  CallOutput,
  CheckedInput,
  ContactView,
  ConversationView,
  FileView,
  MessageView,
  PresenceViewOfPeer,
  Snapshot,
  StorageView,
} from '../../contract/index.ts';

/** What changed; each carries the whole new state of its thing. The bridge numbers them. */
export type HostEvent =
  | { readonly event: 'account'; readonly account: AccountView }
  | { readonly event: 'conversation'; readonly conversation: ConversationView }
  | { readonly event: 'message'; readonly message: MessageView }
  | { readonly event: 'file'; readonly file: FileView }
  | {
      readonly event: 'conversationReset';
      readonly accountId: string;
      readonly conversation: string;
      readonly isGone: boolean;
    }
  | { readonly event: 'contacts'; readonly contacts: readonly ContactView[] }
  | { readonly event: 'presence'; readonly presence: PresenceViewOfPeer }
  | { readonly event: 'storage'; readonly storage: StorageView }
  | {
      readonly event: 'messageRemoved';
      readonly accountId: string;
      readonly conversation: string;
      readonly messageId: string;
    };

type Handlers = {
  readonly [Name in Exclude<CallName, 'getSnapshot'>]: (
    input: CheckedInput<Name>,
  ) => CallOutput<Name> | Promise<CallOutput<Name>>;
};

/**
 * What stands behind the bridge: the engine, or a script in tests. Inputs arrive checked.
 * A handler throws `BridgeFault` for what the contract names; any other throw is a bug and becomes `internal`.
 */
export interface BridgeHost extends Handlers {
  /** Synchronous, so that no event falls between the state and its version. */
  snapshot(): Omit<Snapshot, 'version'>;
  subscribe(listener: (event: HostEvent) => void): Unsubscribe;
}

/** A failed call with a code of the contract. The explanation is shown to the user. */
export class BridgeFault extends Error {
  override readonly name = 'BridgeFault';
  readonly code: BridgeErrorCode;

  constructor(code: BridgeErrorCode, explanation: string) {
    super(explanation);
    this.code = code;
  }
}
