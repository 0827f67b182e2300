import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Why a client was turned away for its number of connections or questions. */
export type LimitScope = 'connections' | 'connection-rate' | 'address' | 'user';

/** What is read at the moment of a scrape. Times are milliseconds since 1970. */
export interface MetricSources {
  now(): number;
  /** When the newest ticket protection key was made; absent before there is one. */
  tpkCreatedAt(): number | undefined;
  /** Audit lines that wait to be durable. */
  auditBacklog(): number;
  openConnections(): Readonly<Record<string, number>>;
  /** By what each certificate serves for. */
  certificates(): Readonly<Record<string, number>>;
}

/** From a quick answer to the time-out of a client. */
const latencyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * What a KMS tells Prometheus. Labels take values from short fixed lists only: no name of a user, no address, nothing that a client
 * can choose.
 */
export class KmsMetrics {
  readonly #registry = new Registry();
  readonly #exchanges: Counter<'kind' | 'outcome'>;
  readonly #latency: Histogram<'kind'>;
  readonly #answers: Counter<'status'>;
  readonly #limited: Counter<'scope'>;
  readonly #replays: Counter;
  readonly #forwards: Counter<'outcome'>;

  /** @param processMetrics also memory, processor time and event loop of the process: once per process. */
  constructor(sources: MetricSources, processMetrics = false) {
    const registers = [this.#registry];
    this.#exchanges = new Counter({
      name: 'tessera_kms_exchanges_total',
      help: 'Exchanges by kind and outcome',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'tessera_kms_exchange_seconds',
      help: 'Time from the head of a question to its answer',
      labelNames: ['kind'],
      buckets: latencyBuckets,
      registers,
    });
    this.#answers = new Counter({
      name: 'tessera_kms_http_answers_total',
      help: 'HTTP answers by status',
      labelNames: ['status'],
      registers,
    });
    this.#limited = new Counter({
      name: 'tessera_kms_limited_total',
      help: 'Connections and requests turned away by a limit',
      labelNames: ['scope'],
      registers,
    });
    this.#replays = new Counter({
      name: 'tessera_kms_replays_total',
      help: 'Authentic questions refused because they came before',
      registers,
    });
    this.#forwards = new Counter({
      name: 'tessera_kms_forwards_total',
      help: 'Tickets of other KMSs, by how asking their issuer ended',
      labelNames: ['outcome'],
      registers,
    });
    for (const scope of ['connections', 'connection-rate', 'address', 'user'] as const) this.#limited.inc({ scope }, 0);
    registerGauges(registers, sources);
    if (processMetrics) collectDefaultMetrics({ register: this.#registry });
  }

  exchange(kind: string, outcome: string, seconds: number): void {
    this.#exchanges.inc({ kind, outcome });
    this.#latency.observe({ kind }, seconds);
  }

  answer(status: number): void {
    this.#answers.inc({ status: String(status) });
  }

  limited(scope: LimitScope): void {
    this.#limited.inc({ scope });
  }

  replay(): void {
    this.#replays.inc();
  }

  forward(outcome: string): void {
    this.#forwards.inc({ outcome });
  }

  /** In the text format of Prometheus. */
  async render(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

function registerGauges(registers: Registry[], sources: MetricSources): void {
  new Gauge({
    name: 'tessera_kms_open_connections',
    help: 'Open connections by listener',
    labelNames: ['listener'],
    registers,
    collect() {
      for (const [listener, count] of Object.entries(sources.openConnections())) this.set({ listener }, count);
    },
  });
  new Gauge({
    name: 'tessera_kms_tpk_age_seconds',
    help: 'Age of the ticket protection key that protects new tickets',
    registers,
    collect() {
      const createdAt = sources.tpkCreatedAt();
      if (createdAt !== undefined) this.set((sources.now() - createdAt) / 1000);
    },
  });
  new Gauge({
    name: 'tessera_kms_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that is presented ends, seconds since 1970',
    labelNames: ['certificate'],
    registers,
    collect() {
      for (const [certificate, until] of Object.entries(sources.certificates()))
        this.set({ certificate }, until / 1000);
    },
  });
  new Gauge({
    name: 'tessera_kms_audit_backlog',
    help: 'Audit lines that are not durable yet; their questions wait for an answer',
    registers,
    collect() {
      this.set(sources.auditBacklog());
    },
  });
}
