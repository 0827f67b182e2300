/** Every way to prove oneself to the KMS. */
export type KmsCredentialMode = 'static-psk' | 'gba-aka' | 'gba-digest' | 'certificate';
