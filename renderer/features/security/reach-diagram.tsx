import type { ProtectionLevel } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { classes } from '../../ui/class-names.ts';
import styles from './reach-diagram.module.css';

interface Props {
  readonly level: ProtectionLevel;
  readonly peer: string;
}

/** Stations in a picture 400 units wide, above the columns of their names: 20, 30, 30 and 20 percent. */
const points = [10, 140, 260, 390] as const;

/** The way of a message from this device to the other, and how far of it is protected. */
export function ReachDiagram({ level, peer }: Props) {
  const { text } = useTexts();
  const end = level === 'unverified' ? 'proof.someone' : 'proof.edge';
  const stations = [text('proof.you'), text(end), text('proof.network'), peer];
  return (
    <div className={styles.diagram} aria-hidden="true">
      <svg viewBox="0 0 400 44" className={classes(styles.picture, styles[level])}>
        {pictures[level]}
      </svg>
      <div className={styles.stations}>
        {stations.map((station, index) => (
          <span key={index}>{station}</span>
        ))}
      </div>
    </div>
  );
}

const y = 22;
const [you, edge, network, other] = points;

const fullTile = (x: number) => <rect x={x - 9} y={y - 9} width="18" height="18" rx="4.5" fill="currentColor" />;
const openTile = (x: number) => (
  <rect x={x - 8} y={y - 8} width="16" height="16" rx="4" className={styles.open} strokeWidth="2" />
);
const protectedWay = (from: number, to: number) => (
  <path d={`M${from} ${y}H${to}`} stroke="currentColor" strokeWidth="6" />
);
const openWay = (from: number, to: number) => (
  <path d={`M${from} ${y}H${to}`} className={styles.dots} strokeWidth="3" strokeLinecap="round" strokeDasharray="0 8" />
);

const pictures = {
  // The protected way runs on behind edge and network: they carry it and cannot look in.
  e2e: (
    <>
      {protectedWay(you, other)}
      {[edge, network].map((x) => (
        <rect
          key={x}
          x={x - 8}
          y={y - 8}
          width="16"
          height="16"
          rx="4"
          fill="none"
          className={styles.passed}
          strokeWidth="2"
        />
      ))}
      {fullTile(you)}
      {fullTile(other)}
    </>
  ),
  e2ae: (
    <>
      {protectedWay(you, edge)}
      {openWay(edge + 20, network - 16)}
      {openWay(network + 20, other - 18)}
      <path d={`M${edge} ${y - 17}V${y + 17}`} stroke="currentColor" strokeWidth="5" strokeLinecap="round" />
      {openTile(network)}
      {openTile(other)}
      {fullTile(you)}
    </>
  ),
  unverified: (
    <>
      <path d={`M${you + 13} ${y}H${edge - 15}`} stroke="currentColor" strokeWidth="6" strokeDasharray="12 7" />
      <path
        d={`M${edge} ${y - 12}l12 12l-12 12l-12-12Z`}
        fill="none"
        stroke="currentColor"
        strokeWidth="2.5"
        strokeLinejoin="round"
      />
      {openWay(edge + 24, network - 16)}
      {openWay(network + 20, other - 18)}
      {openTile(network)}
      {openTile(other)}
      {fullTile(you)}
    </>
  ),
  none: (
    <>
      {openWay(you + 20, edge - 16)}
      {openWay(edge + 20, network - 16)}
      {openWay(network + 20, other - 18)}
      {points.map((x) => (
        <g key={x}>{openTile(x)}</g>
      ))}
    </>
  ),
} as const;
