import '@vscode-elements/elements/dist/vscode-button/index.js';
import './panel.css';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { listen, remember, remembered, send } from './host';
import { take, usePanel } from './store';

const before = remembered();
usePanel.setState({ draft: before.draft });
listen(take);
usePanel.subscribe((p, old) => {
  if (p.conversation !== old.conversation || p.draft !== old.draft) {
    remember({ conversation: p.conversation, draft: p.draft });
  }
});
const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App />);
send({ type: 'ready', conversation: before.conversation });
