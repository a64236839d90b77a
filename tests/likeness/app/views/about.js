import { element } from "shape";

const text = `These readings are made up. They stand for the kind of site that has one page and many views.`;
export const show = async () => [element("h1", "About"), element("p", text)];
