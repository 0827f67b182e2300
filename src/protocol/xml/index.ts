export {
  childOf,
  childText,
  defaultXmlLimits,
  escapeXml,
  readXml,
  type XmlElement,
  type XmlLimits,
} from './read-xml.ts';
