import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';

export interface ScreensOptions {
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

export interface ShownMessage {
  readonly text: string;
  /** The level in words, as the message shows it; empty when it shows none. */
  readonly level: string;
  /** Everything under the message: level, way, time and state. */
  readonly caption: string;
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The screens in a browser, as a user meets them. Waits are for what a user would see. */
export class Screens {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the page: exceptions, refused loads, violations of its policy. Should stay empty. */
  readonly errors: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
  }

  /** Opens an address of the console, as somebody who pastes it into a new browser. */
  static async open(browser: Browser, url: string, options: ScreensOptions = {}): Promise<Screens> {
    const { colorScheme = 'light', width = 1180, height = 800 } = options;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
    const screens = new Screens(context, await context.newPage());
    await screens.page.goto(url);
    await screens.ready();
    return screens;
  }

  /** Until the first state has arrived. */
  async ready(): Promise<void> {
    const account = this.page.getByRole('button', { name: /Account .*, details$/ });
    // Or the question that stands before everything while the messages are locked.
    await account.or(this.page.locator('#storage-title')).first().waitFor();
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  /** Until the account header says so, for example "Registered". */
  async waitForRegistration(words: string): Promise<void> {
    await this.page.getByRole('button', { name: new RegExp(`${words} Account .*, details$`) }).waitFor();
  }

  conversation(name: string): Locator {
    return this.page.getByRole('grid', { name: 'Conversations' }).getByRole('row', { name: new RegExp(`^${name}\\b`) });
  }

  async openConversation(name: string): Promise<void> {
    await this.conversation(name).click();
    await this.composer().waitFor();
  }

  async startConversation(address: string): Promise<void> {
    await this.page.getByRole('button', { name: 'New conversation' }).click();
    await this.page.getByRole('textbox', { name: 'Address' }).fill(address);
    await this.page.getByRole('button', { name: 'Start' }).click();
    await this.composer().waitFor();
  }

  composer(): Locator {
    return this.page.getByRole('textbox', { name: /^Message to / });
  }

  async chooseWay(way: 'Message' | 'Session'): Promise<void> {
    await this.page.getByRole('radio', { name: way, exact: true }).click();
  }

  /** For example "Only end-to-end". */
  async choosePolicy(words: string): Promise<void> {
    await this.page.getByRole('button', { name: /Protection demanded/ }).click();
    await this.page.getByRole('option', { name: new RegExp(`^${words}`) }).click();
  }

  async send(text: string): Promise<void> {
    await this.composer().fill(text);
    await this.composer().press('Enter');
  }

  /** The message that has this text. */
  message(text: string): Locator {
    return this.page
      .getByRole('region', { name: /^Messages with / })
      .getByRole('listitem')
      .filter({ hasText: text });
  }

  /** The card of a file with this name. */
  file(name: string): Locator {
    return this.page.getByRole('region', { name: /^Messages with / }).getByRole('group', { name: new RegExp(name) });
  }

  /** Gives the page a file, as its user would by the attach button. */
  async attach(file: { readonly name: string; readonly mimeType: string; readonly buffer: Buffer }): Promise<void> {
    const chooser = this.page.waitForEvent('filechooser');
    await this.page.getByRole('button', { name: 'Send a file' }).click();
    await (await chooser).setFiles(file);
  }

  /** Waits until the message is there and its caption has `words`, for example "Delivered". */
  async waitForMessage(text: string, words: string | RegExp = ''): Promise<ShownMessage> {
    const item = this.message(text).filter({ hasText: words }).last();
    await item.waitFor({ timeout: 60_000 });
    const caption = await item.locator('[data-caption]').innerText();
    const mark = item.locator('[data-mark]');
    const level = (await mark.count()) > 0 ? await mark.innerText() : '';
    return { text, level, caption: caption.replaceAll(/\s+/g, ' ') };
  }

  /** Opens the sheet of a message and tells all that it says, technical detail included. */
  async readProof(text: string): Promise<string> {
    await this.message(text).last().locator('[data-mark]').click();
    const sheet = this.page.getByRole('dialog');
    await sheet.getByRole('button', { name: 'Technical detail' }).click();
    const words = await sheet.innerText();
    await sheet.getByRole('button', { name: 'Close' }).click();
    await sheet.waitFor({ state: 'detached' });
    return words;
  }

  /** What a screen reader was told so far and is still in the live region. */
  async announced(): Promise<string> {
    return (await this.page.locator('[data-announcer]').innerText()).trim();
  }

  /** Violations of the accessibility rules on what is shown now, one line each. */
  async accessibilityViolations(): Promise<readonly string[]> {
    await this.page.evaluate(axeSource);
    // Popovers hang at the end of the body with hidden buttons that close them: right, but outside of every landmark.
    const hasOverlay = (await this.page.getByRole('button', { name: 'Dismiss' }).count()) > 0;
    const options = { resultTypes: ['violations'], rules: { region: { enabled: !hasOverlay } } };
    return this.page.evaluate<string[]>(`axe.run(document, ${JSON.stringify(options)}).then(({ violations }) =>
      violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary }) => [id, help, target.join(' '), failureSummary].join(' | '))))`);
  }
}
