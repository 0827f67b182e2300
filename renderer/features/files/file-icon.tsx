import { File as FileShape, FileArchive, FileAudio, FileImage, FileText, FileVideo } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { FileView } from '../../../src/contract/index.ts';
import styles from './file-icon.module.css';

/** The preview of a file, or a shape for its kind. A picture element decodes the preview: no other code sees it. */
export function FileIcon({ file }: { readonly file: Pick<FileView, 'icon' | 'type'> }) {
  const url = useObjectUrl(file.icon);
  const [isBroken, setBroken] = useState(false);
  const Shape = shapeOf(file.type);
  return (
    <span className={styles.icon} aria-hidden="true">
      {url === undefined || isBroken ? (
        <Shape size={22} strokeWidth={1.6} />
      ) : (
        <img src={url} alt="" draggable={false} onError={() => setBroken(true)} />
      )}
    </span>
  );
}

function useObjectUrl(icon: FileView['icon']): string | undefined {
  const base64 = icon?.base64;
  const contentType = icon?.contentType;
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (base64 === undefined || contentType === undefined) return undefined;
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const made = URL.createObjectURL(new Blob([bytes], { type: contentType }));
    setUrl(made);
    return () => {
      setUrl(undefined);
      URL.revokeObjectURL(made);
    };
  }, [base64, contentType]);
  return url;
}

function shapeOf(type: string) {
  if (type.startsWith('image/')) return FileImage;
  if (type.startsWith('audio/')) return FileAudio;
  if (type.startsWith('video/')) return FileVideo;
  if (type.startsWith('text/') || type === 'application/pdf') return FileText;
  return type === 'application/zip' ? FileArchive : FileShape;
}
