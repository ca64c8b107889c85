function t(o){}export{t as show};
