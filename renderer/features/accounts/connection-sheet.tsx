import type { AccountView, FlowView } from '../../../src/contract/index.ts';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { plainAddress } from '../../ui/names.ts';
import { Sheet, SheetPart } from '../../ui/sheet.tsx';
import { FactList, type Fact } from '../security/fact-list.tsx';
import { fingerprintFact } from '../security/use-facts.ts';
import { RegistrationMark } from './registration-mark.tsx';
import styles from './connection-sheet.module.css';

interface Props {
  readonly account: AccountView;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** How this device is joined to the network: each connection with what it proved, and the other devices of the user. */
export function ConnectionSheet({ account, isOpen, onClose }: Props) {
  const { text } = useTexts();
  const { flows, ownDevices } = account;
  return (
    <Sheet isOpen={isOpen} onClose={onClose} title={text('connection.title')} about={plainAddress(account.identity)}>
      {flows.length === 0 && <p className={styles.none}>{text('connection.none')}</p>}
      {flows.map((flow) => (
        <SheetPart key={flow.number} title={text(flow.number === 1 ? 'connection.first' : 'connection.second')}>
          <Flow flow={flow} />
        </SheetPart>
      ))}
      <SheetPart title={text('connection.devices')}>
        {ownDevices.length === 0 ? (
          <p className={styles.none}>{text('connection.devices.none')}</p>
        ) : (
          <ul className={styles.devices}>
            {ownDevices.map(({ name }, index) => (
              <li key={index}>{name}</li>
            ))}
          </ul>
        )}
      </SheetPart>
    </Sheet>
  );
}

function Flow({ flow }: { readonly flow: FlowView }) {
  const { text } = useTexts();
  const { registration } = flow;
  return (
    <>
      <p className={styles.state}>
        <RegistrationMark registration={registration} />
      </p>
      {registration.state === 'failed' && <p className={styles.none}>{registration.explanation}</p>}
      <FactList facts={flowFacts(flow, text)} />
    </>
  );
}

function flowFacts({ server, connection }: FlowView, text: Texts['text']): readonly Fact[] {
  const { tls, transport, agreed = [] } = connection ?? {};
  return [
    ...(server === undefined ? [] : [{ name: text('connection.server'), value: server }]),
    {
      name: text('account.signalling'),
      value: transport === undefined ? text('connection.down') : text(`account.signalling.${transport}`),
    },
    ...(tls === undefined
      ? []
      : [
          {
            name: text('connection.proof'),
            value: tls.proof === undefined ? text('connection.proof.none') : text(`connection.proof.${tls.proof}`),
          },
          { name: text('tech.tls'), value: `${tls.version}, ${tls.suite}` },
          ...(tls.certificate === undefined ? [] : [fingerprintFact(text('connection.certificate'), tls.certificate)]),
        ]),
    ...(transport === undefined
      ? []
      : [
          {
            name: text('tech.agreement'),
            value: agreed.length === 0 ? text('tech.agreement.none') : agreed.join(', '),
          },
        ]),
  ];
}
