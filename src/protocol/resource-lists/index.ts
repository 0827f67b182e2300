export {
  decodeResourceLists,
  encodeResourceLists,
  resourceListsContentType,
  resourceListsLimits,
  type CopyControl,
  type ListedRecipient,
} from './resource-lists.ts';
