import './bridge/no-generated-code.ts';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { AppProvider } from './app-context.tsx';
import { App } from './app.tsx';
import { connectBridge } from './bridge/connect.ts';
import { Remote } from './bridge/state.ts';
import { TextProvider } from './i18n/text.tsx';
import { createScreenStore } from './screen-state.ts';
import './ui/tokens.css';
import './ui/base.css';

// A file that misses the conversation must not take its page away.
for (const name of ['dragover', 'drop'] as const) {
  window.addEventListener(name, (event) => {
    if (event.dataTransfer?.types.includes('Files') === true) event.preventDefault();
  });
}

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no root');

createRoot(root).render(
  <StrictMode>
    <TextProvider>
      <AppProvider remote={new Remote(connectBridge())} screen={createScreenStore()}>
        <App />
      </AppProvider>
    </TextProvider>
  </StrictMode>,
);
