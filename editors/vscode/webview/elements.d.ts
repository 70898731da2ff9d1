import type { VscodeButton } from '@vscode-elements/elements/dist/vscode-button/index.js';
import type { DetailedHTMLProps, HTMLAttributes } from 'react';

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'vscode-button': DetailedHTMLProps<HTMLAttributes<VscodeButton>, VscodeButton> & {
        disabled?: boolean | undefined;
        secondary?: boolean;
      };
    }
  }
}
