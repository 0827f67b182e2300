/** Octets of a preview that the contract takes. */
const maxOctets = 32 * 1024;
const edges = [160, 96, 64];
/** Pictures that a browser decodes without running anything in them; SVG is none. */
const pictures = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];
const maxSourceOctets = 64 * 1024 * 1024;

/** A small picture of a picture, in base64; undefined for anything else, and where it cannot be made. */
export async function makeThumbnail(file: Blob): Promise<string | undefined> {
  if (!pictures.includes(file.type) || file.size > maxSourceOctets) return undefined;
  try {
    const bitmap = await createImageBitmap(file);
    try {
      for (const edge of edges) {
        const small = await draw(bitmap, edge);
        if (small !== undefined && small.size <= maxOctets) return base64(new Uint8Array(await small.arrayBuffer()));
      }
    } finally {
      bitmap.close();
    }
  } catch {
    // Not a picture after all: it goes without a preview.
  }
  return undefined;
}

function draw(bitmap: ImageBitmap, edge: number): Promise<Blob | undefined> {
  const scale = Math.min(1, edge / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? undefined), 'image/webp', 0.8));
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (const octet of bytes) text += String.fromCharCode(octet);
  return btoa(text);
}
