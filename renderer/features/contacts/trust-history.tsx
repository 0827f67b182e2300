import { useEffect, useState } from 'react';
import type { Sighting, TrustRecordView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { plainAddress } from '../../ui/names.ts';
import { SheetPart } from '../../ui/sheet.tsx';
import styles from './contacts.module.css';

/** What vouched for somebody until now: which key servers and keys, first and last seen. Only what was verified is in it. */
export function TrustHistory({ addresses, name }: { readonly addresses: readonly string[]; readonly name: string }) {
  const { text, intl } = useTexts();
  const records = useTrust(addresses);
  const day = (at: number) => intl.formatDate(at, { dateStyle: 'medium' });
  if (records === undefined) return null;
  const seen = ({ firstAt, lastAt, count, way }: Sighting) =>
    text('trust.seen', { first: day(firstAt), last: day(lastAt), count, way: text(`trust.way.${way}`) });
  return (
    <SheetPart title={text('trust.title', { peer: name })}>
      {records.length === 0 && <p className={styles.empty}>{text('trust.none')}</p>}
      {records.map(({ accountId, peer, kms, fingerprints, protections, levels }) => (
        <div key={`${accountId} ${peer}`} className={styles.trust}>
          {(addresses.length > 1 || records.length > 1) && (
            <p className={styles.address}>
              {plainAddress(peer)} · {accountId}
            </p>
          )}
          <dl>
            {(
              [
                ['trust.levels', levels, (value: string) => levelWords(value, text)],
                ['trust.kms', kms, plainAddress],
                ['trust.fingerprints', fingerprints, (value: string) => value],
                ['trust.protections', protections, (value: string) => value],
              ] as const
            )
              .filter(([, list]) => list.length > 0)
              .map(([title, list, words]) => (
                <div key={title}>
                  <dt>{text(title)}</dt>
                  {list.map((sighting) => (
                    <dd key={`${sighting.way} ${sighting.value}`}>
                      <span className={styles.value}>{words(sighting.value)}</span> <span>{seen(sighting)}</span>
                    </dd>
                  ))}
                </div>
              ))}
          </dl>
        </div>
      ))}
    </SheetPart>
  );
}

function levelWords(value: string, text: ReturnType<typeof useTexts>['text']): string {
  return value === 'e2e' || value === 'e2ae' || value === 'unverified' || value === 'none'
    ? text(`level.${value}`)
    : value;
}

/** Undefined until it is known. */
function useTrust(addresses: readonly string[]): readonly TrustRecordView[] | undefined {
  const { remote } = useApp();
  const isUp = useRemote((state) => state.link === 'up');
  const [records, setRecords] = useState<readonly TrustRecordView[]>();
  const asked = addresses.join(' ');
  useEffect(() => {
    if (!isUp) return undefined;
    let isWanted = true;
    const calls = asked.split(' ').map((address) => remote.client.call('listTrust', { address }));
    void Promise.all(calls)
      .then((answers) => answers.flatMap((answer) => answer.records))
      // Where nothing is kept of it, nothing is told: that nothing was verified would not be true.
      .catch(() => undefined)
      .then((found) => {
        if (isWanted) setRecords(found);
      });
    return () => {
      isWanted = false;
    };
  }, [remote, asked, isUp]);
  return records;
}
