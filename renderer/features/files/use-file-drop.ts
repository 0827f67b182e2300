import { useRef, useState, type DragEvent } from 'react';

/** Lets files fall on a part of the page. `isOver` while one is held above it. */
export function useFileDrop(isPossible: boolean, give: (files: readonly File[]) => Promise<void>) {
  const [isOver, setOver] = useState(false);
  // Entering a child is told before leaving the parent.
  const depth = useRef(0);
  const hasFiles = (event: DragEvent) => isPossible && event.dataTransfer.types.includes('Files');
  const handlers = {
    onDragEnter: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth.current += 1;
      setOver(true);
    },
    onDragOver: (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    },
    onDragLeave: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth.current = Math.max(0, depth.current - 1);
      if (depth.current === 0) setOver(false);
    },
    onDrop: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth.current = 0;
      setOver(false);
      void give([...event.dataTransfer.files]);
    },
  };
  return { isOver, handlers };
}
