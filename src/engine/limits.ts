/** Bounds of the engine: how long it waits and how much it keeps. Values of the 3GPP profile are in src/protocol/profile.ts. */
export const limits = {
  /** Above the adapter's own limit, so that its more exact error comes first. */
  kmsExchangeMilliseconds: 15_000,
  /** A whole bootstrapping: up to four questions, each with the adapter's own limit. */
  bootstrappingMilliseconds: 30_000,
  /** A KMS that refuses a fresh key too is asked with that key so long before another one is made. */
  rebootstrapMilliseconds: 60_000,
  /** Keys of one account that are kept for exchanges which still run with them. */
  bootstrappedKeys: 16,
  /** Timers of SIP over datagrams (RFC 3261 clause 17.1.1.1), and the transactions that are remembered there. */
  sipT1Milliseconds: 500,
  sipT2Milliseconds: 4_000,
  sipT4Milliseconds: 5_000,
  sipClientTransactions: 10_000,
  sipServerTransactions: 20_000,
  /** Requests of others that may be under way before an INVITE is refused: each is held until its ACK, or 32 s. */
  sipOpenRequests: 256,
  sipServerOctets: 8 * 1024 * 1024,
  /** A longer request leaves over a stream (RFC 3261 clause 18.1.1, where the MTU of the path is not known). */
  sipDatagramOctets: 1_300,
  /** The largest that a datagram can carry, over IPv4. */
  sipLargestDatagramOctets: 65_507,
  sipConnectMilliseconds: 15_000,
  /** Longest pause between two keep-alives (RFC 5626 clauses 4.4.1 and 4.4.2). */
  sipStreamKeepAliveMilliseconds: 120_000,
  sipDatagramKeepAliveMilliseconds: 29_000,
  /** From a keep-alive to when the flow counts as dead. */
  sipPongMilliseconds: 10_000,
  /** Recovery of flows (RFC 5626 clause 4.5): base time when all have failed, when some have not, and the most. */
  flowAllFailedMilliseconds: 30_000,
  flowSomeFailedMilliseconds: 90_000,
  flowLongestMilliseconds: 1_800_000,
  /** Requests of which a copy on another flow is recognised. */
  sipMergedRequests: 2_000,
  inviteMilliseconds: 40_000,
  sipMessageMilliseconds: 40_000,
  /** TCP connection and TLS handshake of a session. */
  mediaSetupMilliseconds: 15_000,
  /** From the first AUTH of a session to the URI of the last relay. */
  relayAuthMilliseconds: 60_000,
  /** A connection to our relay without sessions (RFC 4976 section 5.4). */
  relayIdleMilliseconds: 60 * 60_000,
  /** Octets of a chunk that goes through a relay: Kamailio holds a frame whole, and none of 12 KiB. */
  relayChunkOctets: 8 * 1024,
  /** Before the answer to an offer that leaves us the choice: whether we can connect, or let the other side do so. */
  mediaDialMilliseconds: 2_000,
  /** From the SEND of a text to its 200 and report. */
  sessionSendMilliseconds: 30_000,
  sessionIdleMilliseconds: 10 * 60_000,
  /** A session in which nothing was heard for so long is asked for a sign of life. */
  sessionKeepAliveMilliseconds: 30_000,
  /** With a message under way, a far end that says nothing for so long counts as lost; below the 30 s of a transaction. */
  sessionSilenceMilliseconds: 20_000,
  /** The same for a session beside which its far end has opened another. */
  sessionProbeMilliseconds: 5_000,
  /** From the end of a session’s connection to our BYE: that of the other side tells an end from a loss. */
  sessionByeMilliseconds: 1_000,
  /** A session that was lost sooner is not set up again for its own sake, and for its messages not at once. */
  sessionShortMilliseconds: 10_000,
  /** From the loss of a session to when it is given up. */
  sessionRecoveryMilliseconds: 90_000,
  /** From writing a message to when it counts as failed, over all sessions that it was sent in. */
  sessionMessageMilliseconds: 150_000,
  /** Messages of one account that are under way in sessions, or wait for one that is set up again. */
  unsettledMessages: 1_000,
  /** Messages that one session sends without having been told that they arrived. */
  sessionMessagesUnderWay: 32,
  /** How long a Message-ID is remembered at least, so that nothing is shown twice: longer than any device tries to send. */
  rememberedMessageMilliseconds: 31 * 24 * 3_600_000,
  /** The same for a request that names no Message-ID: longer than any server repeats one. */
  rememberedRequestMilliseconds: 24 * 3_600_000,
  sessionEndMilliseconds: 5_000,
  stopMilliseconds: 8_000,
  sessionsPerAccount: 64,
  /** Octets of one message in a session that is shown as text. */
  sessionTextOctets: 256 * 1024,
  /** What the envelope of a text may add to it. */
  sessionEnvelopeOctets: 4 * 1024,
  /** Octets of a text that is sent as a file because it is too long for a message, and how many of these wait at a time. */
  longTextOctets: 16 * 1024 ** 2,
  longTexts: 4,
  /** How long it is remembered that a peer answered 415 to something. */
  peerRefusalMilliseconds: 30 * 24 * 3_600_000,
  /** Recipients of one message above which no receipts are asked for, and none are told. */
  receiptRecipients: 20,
  /** Receipts that wait to be sent, how long each may wait, and how many are sent at a time. */
  owedReceipts: 2_000,
  /** Of these, to one peer, once half of the room is taken. */
  owedReceiptsToOne: 100,
  owedReceiptMilliseconds: 7 * 24 * 3_600_000,
  receiptsAtOnce: 4,
  /** Receipts of messages that are not known here, kept for when they are. */
  earlyReceipts: 100,
  /** Receipts are sent in a burst of so many at most, and then one in so many milliseconds. */
  receiptBurst: 100,
  receiptGapMilliseconds: 200,
  /** Before a receipt that did not go is tried again; doubled each time, up to the longest. */
  receiptRetryMilliseconds: 30_000,
  receiptRetryLongestMilliseconds: 3_600_000,
  /** Displays that the user has not seen yet are forgotten after so long. */
  awaitedDisplayMilliseconds: 30 * 24 * 3_600_000,
  /** Peers to whom is told by single messages that the user writes, or who tell so, at a time. */
  composingPeers: 50,
  /** Two single messages that tell one peer that the user writes are so far apart at least. */
  composingGapMilliseconds: 3_000,
  /** What protection and envelope may add to a text: sealed for one recipient (profile 5.5), and by the signalling alone. */
  sealedEnvelopeOctets: 2_200,
  plainEnvelopeOctets: 700,
  /** Members of a group, ourselves included. */
  groupMembers: 50,
  /** How often a message is sent again to one recipient who could not read it, and how often we ask for one. */
  resends: 3,
  resendAsks: 3,
  /** Messages that came in and are being judged, of single messages. */
  incomingAtOnce: 200,
  /** Texts that came in and whose senders want to know when they are seen. */
  awaitedDisplays: 2_000,
  /** Octets of a file that is taken. */
  fileOctets: 64 * 1024 ** 3,
  /** Files that wait for the user's answer. */
  offeredFiles: 32,
  fileTransfers: 500,
  contacts: 20_000,
  contactAddresses: 32,
  contactAddressCharacters: 400,
  contactNameCharacters: 256,
  contactNoteCharacters: 8 * 1024,
  contactUidCharacters: 256,
  contactPhotoOctets: 64 * 1024,
  /** Peers of whom is remembered what vouched for them, and values of each kind for one of them. */
  trustHistories: 20_000,
  trustSightings: 16,
  /** Contacts of one account whose presence is watched. */
  watchedContacts: 200,
  /** Requested life of a subscription or a publication of presence; the network decides. */
  presenceSeconds: 3_600,
  /** Before a subscription that was refused or ended is tried again: first, and at the longest. */
  presenceRetryMilliseconds: 60_000,
  presenceRetryLongestMilliseconds: 60 * 60_000,
  /** How long a network that takes no presence is not asked again. */
  presenceRefusedMilliseconds: 24 * 60 * 60_000,
  /** Octets of one message of an export that is read. */
  importedMessageOctets: 4 * 1024 * 1024,
  importedMessages: 5_000_000,
  messagesPerConversation: 5_000,
  conversations: 2_000,
  cachedTickets: 2_000,
  /** Of all tickets of an account as they are kept at rest. */
  cachedTicketOctets: 2 * 1024 * 1024,
  /** Changes of the ticket cache are written together, this long after the first. */
  ticketSaveMilliseconds: 1_000,
  /** Full-jitter back-off towards a KMS that is away: up to 2, 4, 8, ... 300 s. */
  kmsBackOffFirstMilliseconds: 2_000,
  kmsBackOffLongestMilliseconds: 300_000,
  kmsBackOffLeastMilliseconds: 250,
  /** No answer of a KMS keeps us away for longer. */
  kmsRetryAfterSeconds: 3_600,
  /** Questions that a KMS left unanswered, of which one is asked again to learn whether it is back. */
  kmsOpenQuestions: 16,
  /** Questions of one account to its KMS at a time. */
  kmsExchangesAtOnce: 8,
  /** A clock that differs from the KMS's by more is told to the user. */
  clockReportMilliseconds: 2 * 60_000,
  replayEntries: 20_000,
  /** Sealed messages that are being opened at a time, of all senders and of one. */
  undecryptableMessages: 400,
  undecryptableOfOne: 100,
  /** Sealed messages for which the key server refused the key, kept in case that it gives it later. */
  sealedMessages: 200,
  /** Refusals that stand one after another in a conversation, with nothing between them. */
  refusalsTogether: 50,
  /** Contacts for whom tickets are kept ready, how many are asked for at a time, and the mean gap between two. */
  prefetchedContacts: 1_500,
  prefetchesAtOnce: 2,
  prefetchGapMilliseconds: 500,
  /** Messages of one account that wait to be sent or are under way, of all conversations together. */
  outboxMessages: 20_000,
  /** Conversations whose messages are sent side by side. */
  outboxConversationsAtOnce: 16,
  /** How long a message is tried when the account says nothing else. */
  messageLifetimeHours: 7 * 24,
  /** Messages of one conversation that are handed over at a time, and conversations with refusals of strangers. */
  messagesPerPage: 200,
  refusedConversations: 200,
  /** Keys of one account that tell copies of what came in. */
  seenEntries: 100_000,
  /** As many of them as one sender may use up: who sends more is refused alone. */
  seenEntriesOfSender: 25_000,
  seenKeyOctets: 512,
  /** Octets of a note of the store as JSON, and of a message that waits for its key. */
  noteOctets: 256 * 1024,
  sealedOctets: 64 * 1024,
  /** UTF-16 units of the text of a search, its words, and the hits of one page. */
  searchTextLength: 1_000,
  searchWords: 16,
  searchHits: 200,
  /** Longest time for which messages are kept when it is not for ever. */
  retentionDays: 36_500,
  /** Messages that are read from the store at a time for an export. */
  exportedMessagesAtOnce: 500,
} as const;
