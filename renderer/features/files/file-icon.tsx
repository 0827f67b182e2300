import { File as AnyFile, FileArchive, FileAudio, FileImage, FileText, FileVideo } from 'lucide-react';
import { useCallback, useState } from 'react';
import type { FileIcon as Icon, FileView } from '../../../src/contract/index.ts';
import styles from './file-icon.module.css';

/** The preview of a file, or a shape for its kind. */
export function FileIcon({ file: { icon, type } }: { readonly file: Pick<FileView, 'icon' | 'type'> }) {
  const [isBroken, setBroken] = useState(false);
  return (
    <span className={styles.icon} aria-hidden="true">
      {icon === undefined || isBroken ? (
        <KindShape type={type} />
      ) : (
        <Picture icon={icon} onBroken={() => setBroken(true)} />
      )}
    </span>
  );
}

/** A picture element decodes the preview; no other code looks into it. */
function Picture({ icon, onBroken }: { readonly icon: Icon; readonly onBroken: () => void }) {
  const { base64, contentType } = icon;
  const fill = useCallback(
    (element: HTMLImageElement) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const url = URL.createObjectURL(new Blob([bytes], { type: contentType }));
      element.src = url;
      return () => URL.revokeObjectURL(url);
    },
    [base64, contentType],
  );
  return <img ref={fill} alt="" draggable={false} onError={onBroken} />;
}

const look = { size: 22, strokeWidth: 1.6 };

function KindShape({ type }: { readonly type: string }) {
  if (type.startsWith('image/')) return <FileImage {...look} />;
  if (type.startsWith('audio/')) return <FileAudio {...look} />;
  if (type.startsWith('video/')) return <FileVideo {...look} />;
  if (type.startsWith('text/') || type === 'application/pdf') return <FileText {...look} />;
  return type === 'application/zip' ? <FileArchive {...look} /> : <AnyFile {...look} />;
}
